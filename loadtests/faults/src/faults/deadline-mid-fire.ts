import type { Fault } from "../fault.ts";

export const deadlineMidFire: Fault = {
  name: "kill-mid-deadline",
  harm: "kill -9 of a replica while it fires the deadline of an order",
  promise: "the deadline fires once by event id",
  async run({ absent }) {
    absent("orders have no deadlines yet");
  },
};

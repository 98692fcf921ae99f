import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import { timeUntilBusIsBack } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const ROUNDS = 2;
const DOWN_MS = 4_000;
const BUS_BACK_MS = 10_000;

export const natsRestart: Fault = {
  name: "nats-restart",
  harm: `kill -9 of NATS, all nodes of it, ${DOWN_MS / 1_000} s of silence, start; ${ROUNDS} times`,
  promise: "nothing acknowledged is lost; no 2xx and no ack without the store's own ack",
  async run({ platform, load, checkWithin, note }) {
    let busBackMs: number | null = 0;
    let ordersBackMs: number | null = 0;
    let acceptedWhileDown = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { natsNodes } = platform.stores;
      for (const { name } of natsNodes) platform.hold(name);
      await Promise.all(natsNodes.map((node) => node.kill("SIGKILL")));
      // What was acknowledged just before is still on its way back.
      await sleep(500);
      const before = load.acknowledged.orders;
      await sleep(DOWN_MS);
      acceptedWhileDown += load.acknowledged.orders - before;
      await Promise.all(natsNodes.map((node) => node.start()));
      for (const { name } of natsNodes) platform.release(name);
      const atStart = load.acknowledged.orders;
      const [busMs, ordersMs] = await Promise.all([
        timeUntilBusIsBack(platform.replicas, BUS_BACK_MS),
        timeUntil(() => load.acknowledged.orders > atStart, BUS_BACK_MS),
      ]);
      busBackMs = busMs === null || busBackMs === null ? null : Math.max(busBackMs, busMs);
      ordersBackMs =
        ordersMs === null || ordersBackMs === null ? null : Math.max(ordersBackMs, ordersMs);
      await sleep(1_000);
    }
    checkWithin("every replica has the bus again", busBackMs, BUS_BACK_MS);
    checkWithin("orders are accepted again", ordersBackMs, BUS_BACK_MS);
    note(`${acceptedWhileDown} orders acknowledged while NATS was down`);
  },
};

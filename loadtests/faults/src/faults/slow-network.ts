import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import type { StoreName } from "../network.ts";

const DELAY_MS = 100;
const SLOW_MS = 15_000;

export const slowNetwork: Fault = {
  name: "slow-network",
  harm: `every byte between services and stores takes ${DELAY_MS} ms each way, for ${SLOW_MS / 1_000} s`,
  promise: "nothing is lost, no connection is lost; only latency grows",
  async run({ network, load, check, watch }) {
    const lost = load.presence.lost;
    const stores: StoreName[] = ["nats", "redis", "postgres"];
    const ways = stores.flatMap((store) => network.between("", store));
    for (const way of ways) way.delay(DELAY_MS);
    const checkGoingOn = watch("orders", "chat", "tracking");
    await sleep(SLOW_MS);
    checkGoingOn();
    for (const way of ways) way.heal();
    check("no connection is lost", load.presence.lost === lost, String(load.presence.lost - lost));
  },
};

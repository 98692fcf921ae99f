import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import type { StoreName } from "../network.ts";

const DELAY_MS = 100;
const SLOW_MS = 15_000;

export const slowNetwork: Fault = {
  name: "slow-network",
  harm: `every byte between services and stores takes ${DELAY_MS} ms each way, for ${SLOW_MS / 1_000} s`,
  promise: "nothing is lost, no connection is lost; only latency grows",
  async run({ network, load, check }) {
    const lost = load.presence.lost;
    const stores: StoreName[] = ["nats", "redis", "postgres"];
    const ways = stores.flatMap((store) => network.between("", store));
    for (const way of ways) way.delay(DELAY_MS);
    const before = load.acknowledged.orders;
    await sleep(SLOW_MS);
    const orders = load.acknowledged.orders - before;
    const seconds = SLOW_MS / 1_000;
    check("orders go on", orders >= seconds * 18, `${orders} in ${seconds} s`);
    for (const way of ways) way.heal();
    check("no connection is lost", load.presence.lost === lost, String(load.presence.lost - lost));
  },
};

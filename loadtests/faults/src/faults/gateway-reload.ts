import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";

const RELOADS = 3;
const WATCHED_MS = 5_000;

export const gatewayReload: Fault = {
  name: "gateway-reload",
  harm: `the gateway is told to read its configuration again (SIGHUP), ${RELOADS} times`,
  promise: "no connection is lost, no request is refused",
  async run({ platform, load, check }) {
    const lost = load.presence.lost;
    const before = { ...load.acknowledged };
    for (let reload = 0; reload < RELOADS; reload++) {
      process.kill(platform.gateway.pid, "SIGHUP");
      await sleep(WATCHED_MS);
    }
    check("no connection is lost", load.presence.lost === lost, String(load.presence.lost - lost));
    const orders = load.acknowledged.orders - before.orders;
    const seconds = (RELOADS * WATCHED_MS) / 1_000;
    check("orders go on", orders >= seconds * 18, `${orders} in ${seconds} s`);
  },
};

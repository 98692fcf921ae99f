import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";

const RELOADS = 3;
const WATCHED_MS = 5_000;

export const gatewayReload: Fault = {
  name: "gateway-reload",
  harm: `the gateway is told to read its configuration again (SIGHUP), ${RELOADS} times`,
  promise: "no connection is lost, no request is refused",
  async run({ platform, load, check, watch }) {
    const lost = load.presence.lost;
    const checkGoingOn = watch("orders", "chat", "tracking");
    for (let reload = 0; reload < RELOADS; reload++) {
      process.kill(platform.gateway.pid, "SIGHUP");
      await sleep(WATCHED_MS);
    }
    check("no connection is lost", load.presence.lost === lost, String(load.presence.lost - lost));
    checkGoingOn();
  },
};

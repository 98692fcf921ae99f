import { setTimeout as sleep } from "node:timers/promises";
import { readStreamLeader } from "@localstreet/bus/stream-administration";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { openAdminBus } from "../admin-bus.ts";
import type { Fault } from "../fault.ts";
import { timeUntil } from "../wait.ts";

const ROUNDS = 2;
/** Elections of 5 to 9 s were seen with nats-server 2.9. */
const ELECTED_MS = 15_000;

export const natsLeaderLost: Fault = {
  name: "nats-leader-lost",
  harm: `kill -9 of the node that leads the vendors' log, in a cluster of three; ${ROUNDS} times`,
  promise:
    "nothing acknowledged is lost; an election is bridged by 503 and by senders that try again",
  natsNodes: 3,
  async run({ platform, load, checkWithin, note, say }) {
    const bus = await openAdminBus(platform);
    try {
      let worstMs: number | null = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const name = await readStreamLeader(bus, VENDOR_STREAM);
        const leader = platform.stores.natsNodes.find((node) => node.name === name);
        if (!leader) throw new Error(`no node is called ${name}`);
        platform.hold(leader.name);
        await leader.kill("SIGKILL");
        await sleep(200);
        const before = load.acknowledged.orders;
        const backMs = await timeUntil(() => load.acknowledged.orders > before + 5, ELECTED_MS);
        say(`    ${leader.name} killed: orders were accepted again after ${backMs} ms`);
        worstMs = worstMs === null || backMs === null ? null : Math.max(worstMs, backMs);
        await sleep(2_000);
        await leader.start();
        platform.release(leader.name);
        await sleep(3_000);
      }
      checkWithin("orders are accepted by the others", worstMs, ELECTED_MS);
      note(`${load.ledgers.orders.refusals.of("unavailable")} orders given up`);
    } finally {
      await bus.close();
    }
  },
};

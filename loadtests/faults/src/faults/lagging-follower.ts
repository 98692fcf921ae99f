import { setTimeout as sleep } from "node:timers/promises";
import { readStreamLeader } from "@localstreet/bus/stream-administration";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { openAdminBus } from "../admin-bus.ts";
import type { Fault } from "../fault.ts";

const ROUNDS = 3;
const FROZEN_MS = 4_000;
const RESUMES = 6;

export const laggingFollower: Fault = {
  name: "lagging-follower",
  harm: `one follower of three is frozen for ${FROZEN_MS / 1_000} s and thawed; meanwhile and right after every client is cut and resumes, ${RESUMES} times in ${ROUNDS} rounds`,
  promise: "never `complete` from a stale read: heads come from the leader",
  natsNodes: 3,
  async run({ platform, network, load, check }) {
    const bus = await openAdminBus(platform);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const leader = await readStreamLeader(bus, VENDOR_STREAM);
        const followers = platform.stores.natsNodes.filter(({ name }) => name !== leader);
        const follower = followers[round % followers.length];
        follower?.freeze();
        await sleep(FROZEN_MS);
        follower?.thaw();
        for (let resume = 0; resume < RESUMES; resume++) {
          network.clients.reset();
          await sleep(300);
        }
        await load.presence.timeUntilAllOpen(10_000);
      }
      const complete = load.ledgers.orders.verdicts.of("complete");
      check("streams resumed", complete > 0, `${complete} times \`complete\``);
    } finally {
      await bus.close();
    }
  },
};

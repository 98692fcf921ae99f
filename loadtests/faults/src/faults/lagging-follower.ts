import { setTimeout as sleep } from "node:timers/promises";
import { readStreamLeader } from "@localstreet/bus/stream-administration";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { openOrderListener } from "@localstreet/oracle/order-listener";
import { openAdminBus } from "../admin-bus.ts";
import type { Fault } from "../fault.ts";
import { timeUntil } from "../wait.ts";

const ROUNDS = 4;
const FROZEN_MS = 4_000;
/** A stream that was cut comes back after 1 to 4 s: half of them while the follower is frozen, half of them after. */
const CUT_BEFORE_THAW_MS = 2_500;
const LISTENERS = 40;
const SETTLED_MS = 20_000;

export const laggingFollower: Fault = {
  name: "lagging-follower",
  harm: `one follower of three is frozen for ${FROZEN_MS / 1_000} s and thawed, and meanwhile all streams are cut, ${LISTENERS} more of them than usual, so that they resume while it lags; ${ROUNDS} times`,
  promise: "never `complete` from a stale read: heads come from the leader",
  natsNodes: 3,
  async run({ platform, network, load, check, checkWithin }) {
    const { orders } = load.ledgers;
    const listeners = Array.from({ length: LISTENERS }, (_, n) =>
      openOrderListener({
        target: load.target,
        ledger: orders,
        receiver: `more ${n}`,
        vendorId: load.vendorIds[n % load.vendorIds.length] as string,
        backoffMs: { base: 250, cap: 2_000 },
      }),
    );
    const bus = await openAdminBus(platform);
    try {
      await Promise.all(listeners.map((listener) => listener.opened()));
      for (let round = 0; round < ROUNDS; round++) {
        const leader = await readStreamLeader(bus, VENDOR_STREAM);
        const followers = platform.stores.natsNodes.filter(({ name }) => name !== leader);
        const follower = followers[round % followers.length];
        follower?.freeze();
        await sleep(FROZEN_MS - CUT_BEFORE_THAW_MS);
        network.clients.reset();
        await sleep(CUT_BEFORE_THAW_MS);
        follower?.thaw();
        await timeUntil(() => listeners.every(({ state }) => state.phase === "open"), SETTLED_MS);
      }
      const complete = orders.verdicts.of("complete");
      check("streams resumed", complete >= LISTENERS, `${complete} times \`complete\``);
      const settledMs = await load.timeUntilSettled(SETTLED_MS);
      checkWithin("everything declared to follow has followed", settledMs, SETTLED_MS);
    } finally {
      for (const listener of listeners) listener.close();
      await bus.close();
    }
  },
};

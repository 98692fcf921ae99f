import { setTimeout as sleep } from "node:timers/promises";
import { readStreamLeader } from "@localstreet/bus/stream-administration";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { openAdminBus } from "../admin-bus.ts";
import type { Fault } from "../fault.ts";
import type { Stage } from "../stage.ts";
import { inSeconds, timeUntil } from "../wait.ts";

const LOAD = { vendors: 20, devices: 5, ordersPerSecond: 200, hasAllPaths: false } as const;
const UNDER_FIRE_MS = 60_000;
const KILL_EVERY_MS = 5_000;
const CUT_EVERY_MS = 100;
const NATS_KILLED_AT_MS = [17_500, 37_500] as const;
const NATS_DOWN_MS = 2_000;
const SETTLED_MS = 60_000;
/** Of what the pace asks for: less is another test. */
const ENOUGH = 0.9;

export const ordersUnderFire: Fault = {
  name: "orders-under-fire",
  harm: `${LOAD.vendors} vendors with ${LOAD.devices} streams each and ${LOAD.ordersPerSecond} orders a second for ${UNDER_FIRE_MS / 1_000} s, ten connections a second reset, kill -9 of a random notification-sse every ${KILL_EVERY_MS / 1_000} s and of NATS twice (in a cluster: of the log's leader); then silence`,
  promise:
    "every accepted order on every stream, once by id and in order; every refused one told to its sender; no verdict but `complete`",
  load: LOAD,
  async run(stage) {
    const { load, network, check, checkWithin, note } = stage;
    const before = { posted: load.sent.posted, lost: load.presence.lost };
    const end = new AbortController();
    let cuts = 0;
    const cutting = setInterval(() => {
      if (network.clients.resetAny()) cuts += 1;
    }, CUT_EVERY_MS);
    const killing = killReplicas(stage, end.signal);
    const killingNats = killNats(stage);
    await sleep(UNDER_FIRE_MS);
    clearInterval(cutting);
    end.abort();
    const [kills, natsKills] = await Promise.all([killing, killingNats, load.stopOrders()]);

    const { posted, attempts, accepted, refused, unknown, resolved, foundStored } = load.sent;
    const due = (UNDER_FIRE_MS / 1_000) * LOAD.ordersPerSecond;
    const meanwhile = posted - before.posted;
    check("the load is what it is said to be", meanwhile >= due * ENOUGH, `${meanwhile} of ${due}`);
    const told = accepted + refused;
    check(
      "every sender is told what became of its order",
      told === posted,
      `${told} of ${posted}: ${accepted} accepted, ${refused} refused, ${unknown} never answered`,
    );
    note(
      `${attempts} attempts; ${resolved} orders of unknown fate were sent again until they were accepted, ${foundStored} of them had been stored`,
    );
    checkWithin("all is delivered", await load.timeUntilSettled(SETTLED_MS), SETTLED_MS);
    const verdicts = load.ledgers.orders.verdicts.toRecord();
    const words = Object.entries(verdicts).map(([status, count]) => `${count} ${status}`);
    const { gap = 0, reset = 0 } = verdicts;
    check("no false gap or reset", gap + reset === 0, words.join(", "));
    note(
      `${kills} replicas killed, ${natsKills.count} times NATS (${inSeconds(natsKills.worstMs, SETTLED_MS)} without an order at most), ${cuts} connections reset, ${load.presence.lost - before.lost} streams lost and reopened`,
    );
  },
};

/** One of the two, whichever, which starts again at once. @returns how many. */
async function killReplicas(stage: Stage, signal: AbortSignal): Promise<number> {
  const { platform, say } = stage;
  const replicas = stage.replicasOf("notification-sse");
  const starting = new Set<Promise<unknown>>();
  let kills = 0;
  while (!signal.aborted) {
    const replica = replicas[Math.floor(Math.random() * replicas.length)];
    if (!replica) break;
    platform.hold(replica.name);
    await replica.kill("SIGKILL");
    kills += 1;
    const start = replica
      .start()
      .catch((error: unknown) => say(`    ${replica.name}: ${String(error)}`))
      .finally(() => {
        platform.release(replica.name);
        starting.delete(start);
      });
    starting.add(start);
    await sleep(KILL_EVERY_MS, undefined, { signal }).catch(() => {});
  }
  await Promise.all(starting);
  return kills;
}

/** The one server, or the node that leads the vendors' log. */
async function killNats(stage: Stage): Promise<{ count: number; worstMs: number | null }> {
  const { platform, load } = stage;
  const startedAtMs = performance.now();
  const { natsNodes } = platform.stores;
  let worstMs: number | null = 0;
  for (const atMs of NATS_KILLED_AT_MS) {
    await sleep(Math.max(0, atMs - (performance.now() - startedAtMs)));
    const node = natsNodes.length === 1 ? natsNodes[0] : await findLeader(stage);
    if (!node) throw new Error("there is no NATS to kill");
    platform.hold(node.name);
    await node.kill("SIGKILL");
    await sleep(200);
    const { accepted } = load.sent;
    const backMs = timeUntil(() => load.sent.accepted > accepted + 20, SETTLED_MS);
    await sleep(NATS_DOWN_MS);
    await node.start();
    platform.release(node.name);
    const ms = await backMs;
    worstMs = worstMs === null || ms === null ? null : Math.max(worstMs, ms);
  }
  return { count: NATS_KILLED_AT_MS.length, worstMs };
}

async function findLeader({ platform }: Stage) {
  const bus = await openAdminBus(platform);
  try {
    const name = await readStreamLeader(bus, VENDOR_STREAM);
    return platform.stores.natsNodes.find((node) => node.name === name);
  } finally {
    await bus.close();
  }
}

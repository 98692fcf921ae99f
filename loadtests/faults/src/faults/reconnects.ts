import { setTimeout as sleep } from "node:timers/promises";
import { openPool } from "@localstreet/db/pool";
import { DATABASE } from "@localstreet/local/local-stores";
import { openCrowd } from "../crowd.ts";
import type { Fault } from "../fault.ts";
import { sumMetric } from "../replica-metrics.ts";
import type { Stage } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const STREAMS = 300;
const CHATS = 200;
const ALL_BACK_MS = 30_000;
const GROWTH_MB = 200;
const IDLE_MS = 5_000;

export const reconnectStorm: Fault = {
  name: "reconnect-storm",
  harm: `every connection is reset at once: ${STREAMS} more streams and ${CHATS} more chats beside the load`,
  promise:
    "all back within 30 s; at most one database transaction for each chat that comes back, none for a stream; no growth without bound",
  async run(stage) {
    const { network, load, size, check, checkWithin, note } = stage;
    const counts = { streams: STREAMS * size, chats: CHATS * size };
    const crowd = await openCrowd(load.target, counts);
    try {
      // The database then has nothing else to do.
      load.pause();
      await load.timeUntilSettled(10_000);
      const atRest = await transactionsDuring(stage, () => sleep(IDLE_MS));
      const replicas = stage.platform.replicas;
      const memory = () => sumMetric(replicas, "process_resident_memory_bytes");
      const memoryBefore = await memory();
      let backMs: number | null = null;
      const storm = await transactionsDuring(stage, async () => {
        network.clients.reset();
        const [crowdMs, loadMs] = await Promise.all([
          crowd.presence.timeUntilAllOpen(ALL_BACK_MS),
          load.presence.timeUntilAllOpen(ALL_BACK_MS),
        ]);
        backMs = crowdMs === null || loadMs === null ? null : Math.max(crowdMs, loadMs);
      });
      const idle = (atRest.count / atRest.ms) * storm.ms;
      checkWithin("all are back", backMs, ALL_BACK_MS);
      const chats = counts.chats + load.people.length * 2;
      const each = Math.max(0, storm.count - idle) / chats;
      // The oracle's own clients fetch what they missed, over HTTP: two requests each.
      const allowed = (counts.chats + load.people.length * 2 * 3) / chats;
      check(
        "at most one transaction for each chat",
        each <= allowed + 0.05,
        `${each.toFixed(2)} for each of ${chats} (${storm.count} in all, ${idle.toFixed(0)} were expected at rest)`,
      );
      const grown = Math.round(((await memory()) - memoryBefore) / 1024 ** 2);
      check(`services grow by less than ${GROWTH_MB} MB`, grown < GROWTH_MB, `${grown} MB`);
      note(`${counts.streams + counts.chats} connections beside the load`);
    } finally {
      crowd.leave();
    }
  },
};

const DRAIN_MS = 10_000;
/** A drain spreads its connections; the clients' own jitter adds to it. */
const PEAK_FACTOR = 3;

export const rollingDeploy: Fault = {
  name: "rolling-deploy",
  harm: `SIGTERM of one replica after the other, each with ${DRAIN_MS / 1_000} s to drain: ${STREAMS} more streams and ${CHATS} more chats beside the load`,
  promise:
    "nothing is lost, nobody is away for more than 30 s, every replica ends by itself in time, and the peak of reconnects is close to connections divided by window",
  env: { DRAIN_MS: String(DRAIN_MS) },
  async run(stage) {
    const { platform, network, load, size, check, say } = stage;
    const counts = { streams: STREAMS * size, chats: CHATS * size };
    const crowd = await openCrowd(load.target, counts);
    const open = crowd.presence.open + load.presence.open;
    let peak = 0;
    let accepted = network.clients.acceptedCount;
    const sampling = setInterval(() => {
      peak = Math.max(peak, network.clients.acceptedCount - accepted);
      accepted = network.clients.acceptedCount;
    }, 1_000);
    try {
      let worstExitMs = 0;
      let isOrderly = true;
      for (const replica of platform.replicas) {
        platform.hold(replica.name);
        const startedAtMs = performance.now();
        const exited = replica.exited();
        process.kill(replica.pid, "SIGTERM");
        const late = sleep(DRAIN_MS + 15_000).then(() => null);
        const exit = await Promise.race([exited, late]);
        const exitMs = Math.round(performance.now() - startedAtMs);
        say(`    ${replica.name} ended after ${exitMs} ms with ${exit?.code ?? exit?.signal}`);
        worstExitMs = Math.max(worstExitMs, exitMs);
        if (exit?.code !== 0) isOrderly = false;
        if (exit === null) await replica.kill("SIGKILL");
        await replica.start();
        platform.release(replica.name);
        await timeUntil(() => crowd.presence.open === crowd.presence.wanted, 10_000);
      }
      check(
        "every replica ends by itself",
        isOrderly && worstExitMs <= DRAIN_MS + 5_000,
        `${worstExitMs} ms at most`,
      );
      const even = open / (DRAIN_MS / 1_000);
      check(
        `the peak of new connections is below ${PEAK_FACTOR} times connections/window`,
        peak <= even * PEAK_FACTOR + requestsPerSecond(size),
        `${peak}/s, ${even.toFixed(0)}/s were even, of ${open} connections`,
      );
      await crowd.presence.timeUntilAllOpen(ALL_BACK_MS);
      const awayMs = Math.max(crowd.presence.longestAwayMs, load.presence.longestAwayMs);
      stage.checkWithin("whoever is sent away is back", awayMs, ALL_BACK_MS);
    } finally {
      clearInterval(sampling);
      crowd.leave();
    }
  },
};

/** Requests of the load may come on connections of their own. */
function requestsPerSecond(size: number): number {
  return 40 * size;
}

async function transactionsDuring(
  stage: Stage,
  work: () => Promise<void>,
): Promise<{ count: number; ms: number }> {
  const before = await readTransactions(stage);
  const startedAtMs = performance.now();
  await work();
  const count = (await readTransactions(stage)) - before;
  return { count, ms: performance.now() - startedAtMs };
}

/** A connection of Postgres that rests has told what it did after 10 s. */
const STATISTICS_MS = 11_000;

async function readTransactions({ platform }: Stage): Promise<number> {
  await sleep(STATISTICS_MS);
  const pool = openPool({ url: platform.stores.postgres.url("admin"), name: "chaos", max: 1 });
  try {
    const { rows } = await pool.query<{ n: string }>(
      "SELECT xact_commit + xact_rollback AS n FROM pg_stat_database WHERE datname = $1",
      [DATABASE],
    );
    return Number(rows[0]?.n);
  } finally {
    await pool.end();
  }
}

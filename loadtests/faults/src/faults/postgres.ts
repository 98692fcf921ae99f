import { setTimeout as sleep } from "node:timers/promises";
import { openPool } from "@localstreet/db/pool";
import { DATABASE } from "@localstreet/local/local-stores";
import type { Fault } from "../fault.ts";
import { sumMetric } from "../replica-metrics.ts";
import type { Stage } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const KILLED_MS = 10_000;
const READ_ONLY_MS = 10_000;
const LOCKED_MS = 30_000;
const BACK_MS = 10_000;
/** What chat may hold back, in megabytes, over both replicas: its queue is bounded. */
const GROWTH_MB = 100;

const PROMISE =
  "chat acknowledges nothing that is not committed, answers with retryable errors, keeps its queues bounded and loses nothing; orders are accepted and delivered as before";

export const postgresKilled: Fault = {
  name: "postgres-killed",
  harm: `kill -9 of Postgres, ${KILLED_MS / 1_000} s of silence, start`,
  promise: PROMISE,
  run: (stage) =>
    withoutCommits(stage, KILLED_MS, async () => {
      const { platform } = stage;
      platform.hold("postgres");
      await platform.stores.postgres.kill("SIGKILL");
      return async () => {
        await platform.stores.postgres.start();
        platform.release("postgres");
      };
    }),
};

export const postgresReadOnly: Fault = {
  name: "postgres-read-only",
  harm: `every transaction is read-only for ${READ_ONLY_MS / 1_000} s, as on a replica after a failover`,
  promise: PROMISE,
  run: (stage) =>
    withoutCommits(stage, READ_ONLY_MS, async () => {
      await runSql(stage, ["ALTER SYSTEM SET default_transaction_read_only = on", RELOAD]);
      return () =>
        runSql(stage, [
          "SET default_transaction_read_only = off",
          "ALTER SYSTEM RESET default_transaction_read_only",
          RELOAD,
        ]);
    }),
};

export const postgresLocked: Fault = {
  name: "postgres-locked",
  harm: `the table of messages is locked for ${LOCKED_MS / 1_000} s`,
  promise: PROMISE,
  run: (stage) =>
    withoutCommits(stage, LOCKED_MS, async () => {
      const pool = openAdminPool(stage);
      const client = await pool.connect();
      await client.query("BEGIN");
      const { rows } = await client.query<{ name: string }>(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE tablename ILIKE 'message%'",
      );
      for (const { name } of rows)
        await client.query(`LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE`);
      if (rows.length === 0) throw new Error("there is no table of messages");
      return async () => {
        await client.query("COMMIT");
        client.release();
        await pool.end();
      };
    }),
};

const RELOAD = "SELECT pg_reload_conf()";

/** Chat must stop, and must not be noticed to have stopped by anybody else. */
async function withoutCommits(
  stage: Stage,
  forMs: number,
  harm: () => Promise<() => Promise<void>>,
): Promise<void> {
  const { load, check, checkWithin } = stage;
  const chat = stage.replicasOf("chat-ws");
  const megabytes = async () =>
    Math.round((await sumMetric(chat, "process_resident_memory_bytes")) / 1024 ** 2);
  const memoryBefore = await megabytes();
  const restore = await harm();
  try {
    // Commits that were under way.
    await sleep(1_000);
    const before = load.acknowledged.chat;
    const checkGoingOn = stage.watch("orders", "tracking");
    await sleep(forMs - 1_000);
    const acknowledged = load.acknowledged.chat - before;
    check("no message is acknowledged meanwhile", acknowledged === 0, String(acknowledged));
    checkGoingOn();
    const grown = (await megabytes()) - memoryBefore;
    check(`chat-ws grows by less than ${GROWTH_MB} MB`, grown < GROWTH_MB, `${grown} MB`);
  } finally {
    await restore();
  }
  const before = load.acknowledged.chat;
  const backMs = await timeUntil(() => load.acknowledged.chat > before, BACK_MS);
  checkWithin("messages are acknowledged again", backMs, BACK_MS);
}

function openAdminPool({ platform }: Stage) {
  return openPool({
    url: platform.stores.postgres.url("admin", DATABASE),
    name: "chaos",
    max: 1,
    statementTimeoutMs: LOCKED_MS * 2,
    // The server ends what it ends.
    onIdleError: () => {},
  });
}

async function runSql(stage: Stage, statements: readonly string[]): Promise<void> {
  const pool = openAdminPool(stage);
  try {
    for (const statement of statements) await pool.query(statement);
  } finally {
    await pool.end();
  }
}

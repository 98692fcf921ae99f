// How fast one connection of `pg` stores rows with nothing around it: batches of 50, a transaction each.
import pg from "pg";

const BATCH = 50;
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await client.query(`CREATE TABLE IF NOT EXISTS bench_batches (
  id text PRIMARY KEY, conversation_id text NOT NULL, content text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now())`);

const run = `${process.pid}-${Date.now()}`;
let number = 0;
async function storeFor(ms: number): Promise<number> {
  const until = performance.now() + ms;
  let stored = 0;
  while (performance.now() < until) {
    const ids = Array.from({ length: BATCH }, () => `${run}-${number++}`);
    await client.query("BEGIN");
    await client.query({
      name: "bench-insert",
      text: `INSERT INTO bench_batches (id, conversation_id, content)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[])`,
      values: [
        ids,
        ids.map((_, index) => `c-${index}`),
        ids.map(() => "A message of usual length."),
      ],
    });
    await client.query("COMMIT");
    stored += BATCH;
  }
  return stored;
}

await storeFor(500);
const cpu = process.cpuUsage();
const startedAtMs = performance.now();
const delivered = await storeFor(Number(process.env.SECONDS) * 1_000);
const seconds = (performance.now() - startedAtMs) / 1_000;
const { user, system } = process.cpuUsage(cpu);
process.stdout.write(
  `${JSON.stringify({
    delivered,
    deliveredPerSecond: delivered / seconds,
    cpuMicrosEach: (user + system) / delivered,
  })}\n`,
);
await client.end();

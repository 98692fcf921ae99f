import { orderIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listOrders } from "../src/order-reads.ts";
import { openPool, type Pool } from "../src/pool.ts";
import { startDatabase, type TestDatabase } from "./start-database.ts";

let database: TestDatabase;
let pool: Pool;
const vendorId = vendorIdSchema.parse("bakery");
const START = new Date("2026-01-01T00:00:00.000Z");
const ORDERS = 20_000;

beforeAll(async () => {
  database = await startDatabase();
  // One connection, so that the prepared statements of the reads can be looked at.
  pool = openPool({ url: database.url("admin"), max: 1, statementTimeoutMs: 20_000 });
  // Four at the same time each, every fourth of another vendor, one of ten open.
  await pool.query(
    `INSERT INTO orders (vendor_id, order_id, body, total, currency, placed_at, stored_at, sequence, history,
       applied_sequence, status)
     SELECT CASE WHEN n % 4 = 0 THEN 'cafe' ELSE $1 END, 'o' || lpad(n::text, 5, '0'), '{}', 1, 'SEK',
       $2::timestamptz + n / 4 * interval '1 second', $2, n, 1, n,
       (CASE WHEN n % 10 = 1 THEN 'placed' ELSE 'accepted' END)::order_status
     FROM generate_series(1, $3::int) AS n`,
    [vendorId, START, ORDERS],
  );
  await pool.query(
    `INSERT INTO projections (name, epoch, history, sequence, holder, lease_until, through_at)
     VALUES ('orders', 'abcdefgh', 1, $1, '', now(), now())`,
    [ORDERS],
  );
  await pool.query("ANALYZE orders");
});
afterAll(async () => {
  await pool?.end();
  await database?.stop();
});

for (const [which, count, index, statement] of [
  ["open", 2_000, "orders_open_idx", "orders-read-open-after"],
  ["all", 15_000, "orders_vendor_id_placed_at_idx", "orders-read-newest-after"],
] as const) {
  test(`the pages of ${which} orders hold each once, in order, and each begins in the index`, async () => {
    const told: string[] = [];
    let after: Parameters<typeof listOrders>[1]["after"];
    for (;;) {
      const { orders } = await listOrders(pool, { vendorId, which, limit: 333, after });
      told.push(...orders.map(({ orderId }) => orderId));
      const last = orders.at(-1);
      if (!last) break;
      after = last;
    }
    expect(told.length).toBe(count);
    const sorted = told.toSorted();
    expect(told).toEqual(which === "open" ? sorted : sorted.toReversed());
    expect(new Set(told).size).toBe(count);

    const middle = new Date(START.getTime() + (ORDERS / 8) * 1_000);
    for (const mode of ["force_custom_plan", "force_generic_plan"]) {
      await pool.query(`SET plan_cache_mode = ${mode}`);
      const { rows } = await pool.query(
        `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "${statement}"('orders', '${vendorId}', 101,
         '${middle.toISOString()}', '${orderIdSchema.parse("o10000")}')`,
      );
      const scan = findScan(rows[0]["QUERY PLAN"][0].Plan);
      expect(scan["Index Name"], mode).toBe(index);
      expect(scan["Index Cond"], mode).toContain("placed_at");
      // Those of one second at most are looked at for nothing, not the half of the table before the place.
      expect(scan["Rows Removed by Filter"] ?? 0, mode).toBeLessThan(10);
    }
  });
}

interface PlanNode {
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly PlanNode[];
}

function findScan(node: PlanNode): PlanNode {
  const nodes = [node];
  for (let next = nodes.pop(); next; next = nodes.pop()) {
    if (next["Relation Name"] === "orders") return next;
    nodes.push(...(next.Plans ?? []));
  }
  throw new Error("no scan of the orders");
}

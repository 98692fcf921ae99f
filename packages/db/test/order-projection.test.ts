import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import type { NewOrder } from "@localstreet/contracts/order";
import { type VendorEvent, vendorEventMessageId } from "@localstreet/contracts/vendor-events";
import { until } from "@localstreet/testkit/wait";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { withCheckpoint } from "../src/order-batch.ts";
import { type FiredOrder, fireDueOrders } from "../src/order-deadlines.ts";
import type { LoggedEvent } from "../src/order-life.ts";
import { openOrderProjection } from "../src/order-projection.ts";
import { ORDER_COLUMNS, type OrderRow, orderState } from "../src/order-row.ts";
import { openPool, type Pool } from "../src/pool.ts";
import type {
  Checkpoint,
  LogEntry,
  ProjectionPosition,
  ProjectionStore,
  SetAsideEvent,
  UnreadEvent,
} from "../src/projection-store.ts";
import { startDatabase, type TestDatabase } from "./start-database.ts";

let database: TestDatabase;
let pool: Pool;
let store: ProjectionStore;

beforeAll(async () => {
  database = await startDatabase();
  pool = openPool({ url: database.url("notification-sse"), statementTimeoutMs: 2_000 });
  store = openOrderProjection(pool);
});
afterAll(async () => {
  await pool?.end();
  await database?.stop();
});
beforeEach(async () => {
  await pool.query("DELETE FROM orders");
  await pool.query("DELETE FROM set_aside_events");
  await pool.query("UPDATE projections SET history = 0, sequence = 0, lease_until = now()");
});

const START_MS = Date.UTC(2026, 0, 1);
const vendorId = vendorIdSchema.parse("bakery");
const sam = personIdSchema.parse("sam");
const deadlines = {
  remindAfterMs: 30_000,
  remindEveryMs: 30_000,
  escalateAfterMs: 120_000,
  nobodyAfterMs: 10_000,
  expireAfterMs: 600_000,
};
const lease = { holder: "one", leaseMs: 60_000 };

/** A log that the test writes: one event a second. */
function logged(events: readonly VendorEvent[], afterSequence = 0): LoggedEvent[] {
  return events.map((event, index) => ({
    ...event,
    sequence: afterSequence + index + 1,
    messageId: vendorEventMessageId(event),
    storedAt: new Date(START_MS + (afterSequence + index) * 1_000),
  }));
}

const at = new Date(START_MS).toISOString();
const about = (orderId: string) => ({ orderId: orderIdSchema.parse(orderId), vendorId, at });

function placed(orderId: string, changes: Partial<NewOrder> = {}): VendorEvent {
  const order = {
    orderId: orderIdSchema.parse(orderId),
    vendorId,
    buyerId: personIdSchema.parse("ana"),
    items: [{ name: "Kanelbulle", quantity: 2, unitPrice: 3_500 }],
    total: 7_000,
    currency: "SEK",
    placedAt: at,
    ...changes,
  };
  return { vendorId, kind: "new-order", data: order };
}
function acknowledged(
  orderId: string,
  state: "received" | "seen" | "accepted" | "rejected",
): VendorEvent {
  return { vendorId, kind: "order-acknowledged", data: { ...about(orderId), state, by: sam } };
}
function updated(
  orderId: string,
  status: "accepted" | "rejected" | "preparing" | "delivered" | "cancelled" | "placed" | "expired",
): VendorEvent {
  return { vendorId, kind: "order-updated", data: { ...about(orderId), status } };
}
function reminded(orderId: string, reminder: number): VendorEvent {
  const data = { ...about(orderId), reminder, total: 7_000, currency: "SEK", placedAt: at };
  return { vendorId, kind: "order-reminder", data };
}
function escalated(orderId: string): VendorEvent {
  const data = { ...about(orderId), reason: "unanswered" as const, placedAt: at };
  return { vendorId, kind: "order-escalated", data };
}
function expired(orderId: string): VendorEvent {
  return { vendorId, kind: "order-expired", data: { ...about(orderId), placedAt: at } };
}

async function takeLease(holder = lease.holder): Promise<ProjectionPosition> {
  const leased = await store.lease({ ...lease, holder });
  if (!leased) throw new Error("another holds the lease");
  return leased.position;
}

/** Applies the events in batches of `size`. @returns how many Postgres could not hold. */
async function apply(events: readonly LogEntry[], size = 500): Promise<number> {
  let from = await takeLease();
  let refused = 0;
  for (let index = 0; index < events.length; index += size) {
    const batch = events.slice(index, index + size);
    const { sequence, messageId } = batch.at(-1) as LogEntry;
    const outcome = await store.apply({
      ...lease,
      from,
      events: batch,
      to: { sequence, messageId },
      throughAt: null,
      deadlines,
    });
    if (outcome.status === "fenced") throw new Error("fenced");
    from = outcome.position;
    refused += outcome.refused.length;
  }
  return refused;
}

async function rows(): Promise<OrderRow[]> {
  return (
    await pool.query<OrderRow>(`SELECT ${ORDER_COLUMNS} FROM orders o ORDER BY vendor_id, order_id`)
  ).rows;
}

async function rowAfter(...events: VendorEvent[]) {
  await pool.query("DELETE FROM orders");
  await store.rewind({ holder: lease.holder, epoch: "testtest", checkpoint: null });
  await apply(logged(events));
  const row = (await rows())[0] as OrderRow;
  return { ...row, state: orderState(row) };
}

test("S30: an order's state is what its log tells, the first answer first", async () => {
  await takeLease();
  expect(await rowAfter(placed("a"))).toMatchObject({
    ...{ status: "placed", state: "ringing", total: 7_000, currency: "SEK", sequence: 1 },
    ...{ storedAt: new Date(START_MS), dueAt: new Date(START_MS + 2_500) },
  });
  const received = acknowledged("a", "received");
  expect(await rowAfter(placed("a"), received)).toMatchObject({ state: "received" });
  expect(await rowAfter(placed("a"), acknowledged("a", "seen"), received)).toMatchObject({
    ...{
      state: "seen",
      receivedAt: new Date(START_MS + 1_000),
      seenAt: new Date(START_MS + 1_000),
    },
    dueAt: new Date(START_MS + 30_000),
  });
  expect(
    await rowAfter(placed("a"), acknowledged("a", "rejected"), updated("a", "accepted")),
  ).toMatchObject({ state: "rejected", answeredBy: "sam", dueAt: null });
  expect(
    await rowAfter(
      placed("a"),
      updated("a", "accepted"),
      acknowledged("a", "rejected"),
      expired("a"),
    ),
  ).toMatchObject({ state: "accepted", answeredBy: null, expiredAt: null, dueAt: null });
  expect(
    await rowAfter(placed("a"), acknowledged("a", "accepted"), updated("a", "preparing")),
  ).toMatchObject({ status: "preparing", state: "accepted" });
  expect(await rowAfter(placed("a"), updated("a", "preparing"))).toMatchObject({
    ...{ status: "preparing", state: "accepted", answeredAt: new Date(START_MS + 1_000) },
  });
  expect(
    await rowAfter(placed("a"), updated("a", "accepted"), updated("a", "cancelled")),
  ).toMatchObject({ state: "cancelled", cancelledAt: new Date(START_MS + 2_000) });
  expect(
    await rowAfter(placed("a"), updated("a", "cancelled"), updated("a", "delivered")),
  ).toMatchObject({ state: "cancelled", status: "cancelled" });
  expect(await rowAfter(placed("a"), reminded("a", 2), reminded("a", 1))).toMatchObject({
    ...{ state: "ringing", reminders: 2, dueAt: new Date(START_MS + 2_500) },
  });
  expect(await rowAfter(placed("a"), escalated("a"), acknowledged("a", "seen"))).toMatchObject({
    ...{ state: "escalated", escalationReason: "unanswered", opsTold: false },
    // It may not have reached the operators.
    dueAt: new Date(START_MS + 1_000),
  });
  expect(
    await rowAfter(placed("a"), escalated("a"), expired("a"), acknowledged("a", "accepted")),
  ).toMatchObject({ state: "expired", expiredAt: new Date(START_MS + 2_000), answeredAt: null });
  for (const told of [updated("a", "placed"), updated("a", "expired"), placed("a")]) {
    expect(await rowAfter(placed("a"), told)).toMatchObject({ state: "ringing", sequence: 1 });
  }
});

test("S30: what is told of an order that never came, and what Postgres cannot hold, stops nothing", async () => {
  const events = logged([
    acknowledged("unknown", "accepted"),
    placed("a", { note: "NUL \0 and a lone \ud800" }),
    reminded("a", 2 ** 40),
    placed("c"),
    expired("unknown"),
  ]);
  expect(await apply(events)).toBe(1);
  expect((await rows()).map((row) => row.orderId)).toEqual(["a", "c"]);
  const body = await pool.query("SELECT body FROM orders WHERE order_id = 'a'");
  expect(body.rows[0].body.note).toBe("NUL \0 and a lone \ud800");
  expect(await takeLease()).toMatchObject({ sequence: 5 });
});

const anyLog = fc.array(
  fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(11)).map(([orderId, kind]): VendorEvent => {
    const kinds = [
      placed(orderId),
      placed(orderId),
      acknowledged(orderId, "received"),
      acknowledged(orderId, "seen"),
      acknowledged(orderId, "accepted"),
      acknowledged(orderId, "rejected"),
      updated(orderId, "accepted"),
      updated(orderId, "preparing"),
      updated(orderId, "cancelled"),
      reminded(orderId, 1 + (kind % 3)),
      escalated(orderId),
      expired(orderId),
    ];
    return kinds[kind] as VendorEvent;
  }),
  { minLength: 1, maxLength: 40 },
);

function beginsWithPlacing(log: readonly LoggedEvent[], orderId: string): boolean {
  const first = log.find((event) => event.data.orderId === orderId);
  return first === undefined || first.kind === "new-order";
}

test("S30: however a log is cut into batches, and read again from any place, the rows are the same", async () => {
  const epoch = "testtest";
  const content = async () => (await rows()).map(({ history: _, ...row }) => row);
  await fc.assert(
    fc.asyncProperty(
      anyLog,
      fc.integer({ min: 1, max: 12 }),
      fc.nat(40),
      async (events, size, again) => {
        const log = logged(events);
        await takeLease();
        await pool.query("DELETE FROM orders");
        await store.rewind({ holder: lease.holder, epoch, checkpoint: null });
        await apply(log, 500);
        const atOnce = await content();

        await pool.query("DELETE FROM orders");
        await store.rewind({ holder: lease.holder, epoch, checkpoint: null });
        await apply(log, size);
        expect(await content()).toEqual(atOnce);

        // The position is lost, the rows are not: what they know already is passed over.
        await pool.query("UPDATE projections SET sequence = $1", [Math.min(again, log.length)]);
        await apply(log.slice(again), size);
        expect(await content()).toEqual(atOnce);

        // Restored from a backup, the same events come under another history. An order's life begins with `new-order`.
        if (!["a", "b", "c"].every((orderId) => beginsWithPlacing(log, orderId))) return;
        await store.rewind({ holder: lease.holder, epoch, checkpoint: null });
        await apply(log, size);
        const restored = await content();
        const stateOf = (row: (typeof restored)[number]) => [
          row.orderId,
          row.status,
          row.reminders,
        ];
        expect(restored.map(stateOf)).toEqual(atOnce.map(stateOf));
      },
    ),
    { numRuns: 40 },
  );
});

/** As an older version reads it. */
function unread(event: LoggedEvent): UnreadEvent {
  const { data, kind, sequence, messageId, storedAt } = event;
  const kept = { vendorId, orderId: data.orderId, kind, sequence, messageId, storedAt };
  return { ...kept, data: Buffer.from(JSON.stringify(data)), reason: "of tomorrow" };
}

function readAgain({ reason: _, orderId: __, data, ...event }: SetAsideEvent): LoggedEvent {
  return { ...event, data: JSON.parse(Buffer.from(data).toString()) } as unknown as LoggedEvent;
}

test("S44: whichever events are understood late, and in whatever order, the rows are as if all had been at once", async () => {
  const epoch = "testtest";
  await fc.assert(
    fc.asyncProperty(
      anyLog,
      fc.array(fc.constantFrom(0, 0, 1, 2, 3), { minLength: 40, maxLength: 40 }),
      fc.integer({ min: 1, max: 12 }),
      async (events, versions, size) => {
        const log = logged(events);
        await takeLease();
        await pool.query("DELETE FROM orders");
        await store.rewind({ holder: lease.holder, epoch, checkpoint: null });
        await apply(log);
        const content = async () => (await rows()).map(({ history: _, ...row }) => row);
        const atOnce = await content();

        // Each version understands what the ones before it do, and more.
        const versionOf = ({ sequence }: { sequence: number }) => versions[sequence - 1] ?? 0;
        await pool.query("DELETE FROM orders");
        await store.rewind({ holder: lease.holder, epoch, checkpoint: null });
        await apply(
          log.map((event) => (versionOf(event) === 0 ? event : unread(event))),
          size,
        );
        for (const version of [1, 2, 3]) {
          const from = await takeLease();
          let after = { history: 0, sequence: 0 };
          for (;;) {
            const page = await store.setAside(after, 2);
            const orders = page.orders.map((order) => ({
              ...order,
              understood: order.events.map((event) =>
                versionOf(event) <= version ? readAgain(event) : null,
              ),
            }));
            expect(await store.retell({ ...lease, from, orders, deadlines })).toBe("retold");
            if (!page.next) break;
            after = page.next;
          }
        }
        expect(await content()).toEqual(atOnce);
        const left = await pool.query("SELECT 1 FROM set_aside_events");
        expect(left.rowCount).toBe(0);
      },
    ),
    { numRuns: 40 },
  );
});

test("S30: checkpoints are some dozens, and one of them is never much further back than what was lost", () => {
  let checkpoints: readonly Checkpoint[] = [];
  for (let sequence = 7; sequence < 200_000; sequence += 7 + (sequence % 5)) {
    if (sequence - (checkpoints[0]?.sequence ?? 0) < 10) continue;
    checkpoints = withCheckpoint(checkpoints, { sequence, messageId: `m${sequence}` }, 10);
    if (sequence % 97 !== 0) continue;
    expect(checkpoints.length).toBeLessThan(40);
    for (let lost = 1; lost < sequence; lost *= 3) {
      const back = checkpoints.find((checkpoint) => checkpoint.sequence <= sequence - lost);
      expect(sequence - (back?.sequence ?? 0)).toBeLessThanOrEqual(2 * lost + 40);
    }
  }
});

test("S30: a log that was made anew is read from its beginning, and orders of the old one stay", async () => {
  await apply(logged([placed("a"), placed("b"), acknowledged("b", "accepted")]));
  const before = await takeLease();
  const restarted = await store.rewind({
    holder: lease.holder,
    epoch: "anewanew",
    checkpoint: null,
  });
  expect(restarted).toEqual({
    ...{ epoch: "anewanew", history: before.history + 1, sequence: 0, messageId: null },
  });
  await apply(logged([acknowledged("a", "accepted"), acknowledged("b", "rejected")]));
  expect((await rows()).map(orderState)).toEqual(["accepted", "accepted"]);
});

test("S30: one replica holds the lease, another takes over when it ends, and the first is fenced off", async () => {
  const shortly = { holder: "one", leaseMs: 50 };
  const from = (await store.lease(shortly))?.position;
  expect(from).toBeDefined();
  const two = { holder: "two", leaseMs: 60_000 };
  await until(async () => (await store.lease(two)) !== null, { what: "a takeover" });
  expect(await store.lease(shortly)).toBeNull();

  const events = logged([placed("late")]);
  const to = { sequence: 1, messageId: "" };
  const batch = { ...lease, from: from as ProjectionPosition, events, to, throughAt: null };
  expect(await store.apply({ ...batch, deadlines })).toEqual({ status: "fenced" });
  expect(await rows()).toEqual([]);
  expect(await store.rewind({ holder: "one", epoch: "testtest", checkpoint: null })).toBeNull();

  await store.release("one");
  expect(await store.lease(shortly)).toBeNull();
  await store.release("two");
  expect(await store.lease(shortly)).not.toBeNull();
});

test("S30: a holder that comes back to its own lease with an old position is fenced off", async () => {
  const from = await takeLease();
  await apply(logged([placed("a")]));
  const batch = { ...lease, from, events: [], throughAt: null, deadlines };
  const to = { sequence: 9, messageId: "" };
  expect(await store.apply({ ...batch, to })).toEqual({ status: "fenced" });
});

/** As `rang`, with nothing done. */
const rang: FiredOrder = {
  ...{ status: "rang", reminders: 0, escalated: false, attended: false, opsTold: false },
};

test("S34: an order is taken by one replica at a time, and only up to where the log is projected", async () => {
  const ids = Array.from({ length: 30 }, (_, index) => `order-${index}`);
  await apply(logged(ids.map((orderId) => placed(orderId))));
  const fired: string[] = [];
  const replica = (limit: number) =>
    fireDueOrders(pool, {
      limit,
      deadlines,
      async fire(orders) {
        fired.push(...orders.map(({ orderId }) => orderId));
        await new Promise((resolve) => setImmediate(resolve));
        return orders.map((): FiredOrder => ({ ...rang, attended: true }));
      },
    });
  expect(await replica(100)).toEqual({ taken: 0, leftDue: 0 });
  // Stored one a second, due 2.5 s later: the first ten.
  await pool.query("UPDATE projections SET through_at = $1", [new Date(START_MS + 11_600)]);
  await Promise.all(Array.from({ length: 5 }, () => replica(4)));
  expect(fired.sort()).toEqual(ids.slice(0, 10).sort());
  expect(await replica(4)).toEqual({ taken: 0, leftDue: 0 });
  expect((await rows()).filter((row) => row.attended).length).toBe(10);
});

test("S34: what could not be published, or was not committed, stays due", async () => {
  await apply(logged([placed("a"), placed("b")]));
  await pool.query("UPDATE projections SET through_at = $1", [new Date(START_MS + 10_000)]);
  const fails = fireDueOrders(pool, {
    ...{ limit: 10, deadlines },
    fire: async () => {
      throw new Error("the replica dies");
    },
  });
  await expect(fails).rejects.toThrow();
  const fireHalf = () =>
    fireDueOrders(pool, {
      ...{ limit: 10, deadlines },
      fire: async (orders) => orders.map(({ orderId }) => (orderId === "a" ? rang : null)),
    });
  // The server may hold the locks of the connection that was closed for a moment.
  let half = await fireHalf();
  await until(
    async () => {
      if (half.taken === 0) half = await fireHalf();
      return half.taken > 0;
    },
    { what: "the rows are free" },
  );
  expect(half).toEqual({ taken: 2, leftDue: 1 });
  const due = await pool.query("SELECT order_id FROM orders WHERE due_at <= $1", [
    new Date(START_MS + 10_000),
  ]);
  expect(due.rows).toEqual([{ order_id: "b" }]);
});

test("S34: among many orders the due ones are found by their index", async () => {
  await pool.query(`INSERT INTO orders (vendor_id, order_id, body, total, currency, placed_at, stored_at, sequence,
      history, applied_sequence, status, due_at)
    SELECT 'v' || n % 100, 'o' || n, '{}', 1, 'SEK', now(), now(), n, 0, n, 'delivered', NULL
    FROM generate_series(1, 20000) AS n`);
  const client = await pool.connect();
  try {
    const plan = await client.query(`EXPLAIN SELECT * FROM orders o
      WHERE o.due_at IS NOT NULL AND o.due_at <= (SELECT through_at FROM projections WHERE name = 'orders')
      ORDER BY o.due_at LIMIT 100 FOR UPDATE OF o SKIP LOCKED`);
    expect(JSON.stringify(plan.rows)).toContain("Index Scan using orders_due_at_idx");
  } finally {
    client.release();
  }
});

test("O4: the service of orders changes no chat and drops nothing", async () => {
  for (const sql of [
    "INSERT INTO messages SELECT * FROM messages",
    "UPDATE conversations SET last_seq = 0",
    "DELETE FROM projections",
    "TRUNCATE orders",
    "DROP TABLE orders",
  ]) {
    await expect(pool.query(sql), sql).rejects.toMatchObject({ code: "42501" });
  }
  await pool.query("SELECT 1 FROM messages, conversations");
});

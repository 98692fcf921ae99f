import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { type VendorEvent, vendorEventMessageId } from "@localstreet/contracts/vendor-events";
import { migrateDatabase } from "@localstreet/db/migrate";
import { withCheckpoint } from "@localstreet/db/order-batch";
import type { LoggedEvent } from "@localstreet/db/order-life";
import { openOrderProjection } from "@localstreet/db/order-projection";
import { ORDER_COLUMNS, type OrderRowWithBody } from "@localstreet/db/order-row";
import { createDatabase, openPool, type Pool } from "@localstreet/db/pool";
import type {
  LogEntry,
  ProjectionPosition,
  ProjectionStore,
  RetoldOrder,
  SetAsideEvent,
} from "@localstreet/db/projection-store";
import { grantRoles } from "@localstreet/db/roles";
import { startTestStores } from "@localstreet/testkit/stores";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRecordInMemory } from "../src/record-in-memory.ts";

const DATABASE = "localstreet";
let stores: Awaited<ReturnType<typeof startTestStores<{ postgres: true }>>>;
let pool: Pool;

beforeAll(async () => {
  stores = await startTestStores({ postgres: true });
  const { postgres } = stores;
  const url = postgres.url("admin", DATABASE);
  await createDatabase(postgres.url("admin"), DATABASE);
  await migrateDatabase({ url });
  await grantRoles({ url, passwords: postgres.passwords });
  pool = openPool({ url });
});
afterAll(async () => {
  await pool?.end();
  await stores?.stop();
});

const START_MS = Date.UTC(2026, 0, 1);
const vendorId = vendorIdSchema.parse("bakery");
const at = new Date(START_MS).toISOString();
const deadlines = {
  ...{ remindAfterMs: 30_000, remindEveryMs: 30_000, escalateAfterMs: 120_000 },
  ...{ nobodyAfterMs: 10_000, expireAfterMs: 600_000 },
};

/** One of all that may be told of an order; the last is more than a column of Postgres holds. */
function told(name: string, choice: number): VendorEvent {
  const about = { orderId: orderIdSchema.parse(name), vendorId, at };
  const amount = { total: 700 + choice, currency: "SEK", placedAt: at };
  const by = personIdSchema.parse("sam");
  const events: VendorEvent[] = [
    ...([1, 2, 3] as const).map((quantity): VendorEvent => {
      const items = [{ name: "Kanelbulle", quantity, unitPrice: 700 }];
      const { at: _, ...order } = about;
      return { vendorId, kind: "new-order", data: { ...order, ...amount, buyerId: by, items } };
    }),
    ...(["received", "seen", "accepted", "rejected"] as const).map((state): VendorEvent => {
      return { vendorId, kind: "order-acknowledged", data: { ...about, state, by } };
    }),
    ...(["accepted", "preparing", "cancelled"] as const).map((status): VendorEvent => {
      return { vendorId, kind: "order-updated", data: { ...about, status } };
    }),
    ...[1, 2, 2 ** 40].map((reminder): VendorEvent => {
      return { vendorId, kind: "order-reminder", data: { ...about, ...amount, reminder } };
    }),
    {
      ...{ vendorId, kind: "order-escalated" },
      data: { ...about, reason: "unanswered", placedAt: at },
    },
    { vendorId, kind: "order-expired", data: { ...about, placedAt: at } },
  ];
  return events[choice % events.length] as VendorEvent;
}

interface Told {
  readonly order: string;
  readonly choice: number;
  readonly isUnderstood: boolean;
}

function entryOf({ order, choice, isUnderstood }: Told, sequence: number): LogEntry {
  const event = told(order, choice);
  const place = {
    ...{ sequence, messageId: vendorEventMessageId(event) },
    storedAt: new Date(START_MS + sequence * 1_000),
  };
  if (isUnderstood) return { ...event, ...place };
  const { kind, data } = event;
  const bytes = Buffer.from(JSON.stringify(data));
  return { ...place, vendorId, orderId: order, kind, data: bytes, reason: "of tomorrow" };
}

function readAgain({ reason: _, orderId: __, data, ...event }: SetAsideEvent): LoggedEvent {
  return { ...event, data: JSON.parse(Buffer.from(data).toString()) } as unknown as LoggedEvent;
}

const holders = fc.constantFrom("one", "one", "one", "two");
const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      step: fc.constant("apply" as const),
      holder: holders,
      events: fc.array(
        fc.record({
          order: fc.constantFrom("a", "b", "c"),
          choice: fc.nat(14),
          isUnderstood: fc.constantFrom(true, true, true, false),
        }),
        { maxLength: 8 },
      ),
      isOld: fc.constantFrom(false, false, false, true),
      isThrough: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ step: fc.constant("lease" as const), holder: holders }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant("release" as const), holder: holders }) },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant("rewind" as const),
      holder: holders,
      checkpoint: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant("retell" as const),
      holder: holders,
      understands: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
);
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

/** Takes the steps. @returns what the store said to each, its clock aside. */
async function live(store: ProjectionStore, steps: readonly Step[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  let known = (await store.lease({ holder: "one", leaseMs: 60_000 }))
    ?.position as ProjectionPosition;
  let before = known;
  for (const step of steps) {
    const lease = { holder: step.holder, leaseMs: 60_000 };
    switch (step.step) {
      case "lease":
        answers.push((await store.lease(lease))?.position ?? null);
        break;
      case "release":
        await store.release(step.holder);
        break;
      case "apply": {
        const from = step.isOld ? before : known;
        const events = step.events.map((event, index) =>
          entryOf(event, from.sequence + 1 + 2 * index),
        );
        const { sequence, messageId } = events.at(-1) ?? from;
        const checkpoints = messageId
          ? withCheckpoint(await store.checkpoints(), { sequence, messageId }, 4)
          : undefined;
        const throughAt = step.isThrough ? new Date(START_MS + sequence * 1_000) : null;
        const batch = { ...lease, from, events, to: { sequence, messageId }, throughAt };
        const outcome = await store.apply({ ...batch, deadlines, checkpoints });
        if (outcome.status === "applied") {
          before = known;
          known = outcome.position;
          answers.push([outcome.position, outcome.refused]);
        } else answers.push(outcome.status);
        break;
      }
      case "rewind": {
        const checkpoint = (await store.checkpoints())[step.checkpoint] ?? null;
        const position = await store.rewind({ holder: step.holder, epoch: "next", checkpoint });
        if (position) [before, known] = [position, position];
        answers.push(position);
        break;
      }
      case "retell": {
        let after = { history: 0, sequence: 0 };
        for (;;) {
          const page = await store.setAside(after, step.limit);
          const orders = page.orders.map((order): RetoldOrder => {
            const understood = order.events.map((event) =>
              step.understands[event.sequence % 5] ? readAgain(event) : null,
            );
            return { ...order, understood };
          });
          const from = known;
          answers.push(page.next, await store.retell({ ...lease, from, orders, deadlines }));
          if (!page.next) break;
          after = page.next;
        }
      }
    }
    answers.push(await store.countSetAside(), await store.checkpoints());
  }
  return answers;
}

test("S30 S44: the record in memory answers and ends as the one in Postgres does", {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 25 }), async (steps) => {
      await pool.query("TRUNCATE orders, projections, projection_checkpoints, set_aside_events");
      const inPostgres = openOrderProjection(pool);
      const inMemory = openRecordInMemory();
      expect(await live(inMemory, steps)).toEqual(await live(inPostgres, steps));

      const { rows } = await pool.query<OrderRowWithBody>(
        `SELECT ${ORDER_COLUMNS}, o.body FROM orders o ORDER BY vendor_id, order_id`,
      );
      expect(inMemory.rows()).toEqual(rows);
      const { rows: projections } = await pool.query<{ throughAt: Date }>(
        `SELECT through_at AS "throughAt" FROM projections`,
      );
      const throughMs = projections[0]?.throughAt.getTime();
      expect(inMemory.throughAt()?.getTime() ?? 0).toBe(throughMs);
      const { orders } = await inPostgres.setAside({ history: 0, sequence: 0 }, 1_000);
      const byOrder = [...orders].sort((a, b) => (a.orderId < b.orderId ? -1 : 1));
      expect(inMemory.allSetAside()).toEqual(byOrder);
    }),
    { numRuns: 80 },
  );
});

import { openLogReader } from "@localstreet/bus/log-reader";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { openSubjectLog } from "@localstreet/bus/subject-log";
import { summarySchema } from "@localstreet/contracts/dashboard";
import { type OrderId, orderIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import type { OrderStatus } from "@localstreet/contracts/order";
import { orderSnapshotSchema, ordersSnapshotSchema } from "@localstreet/contracts/order-answers";
import { problemDetailsSchema } from "@localstreet/contracts/problem";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import type { LoggedEvent } from "@localstreet/db/order-life";
import { openOrderProjection } from "@localstreet/db/order-projection";
import type { OrderRow } from "@localstreet/db/order-row";
import { openPool, type Pool } from "@localstreet/db/pool";
import { isUnread } from "@localstreet/db/projection-store";
import { openEventStream } from "@localstreet/testkit/sse-client";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createExpiries } from "../src/record/expiries.ts";
import { parseLoggedEvent, type ReadLogEntry } from "../src/record/logged-event.ts";
import { type OrderProjection, startOrderProjection } from "../src/record/order-projection.ts";
import { acknowledge, getOrders, postStatus } from "./order-requests.ts";
import { publishRaw } from "./publish-raw.ts";
import {
  type Notification,
  newOrder,
  newVendor,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

const SETTINGS = { ORDER_TICK_MS: "50", ORDER_LEASE_MS: "1000", ORDERS_WAIT_MS: "1500" };

let notification: Notification;
let admin: Pool;
beforeAll(async () => {
  notification = await startNotification(SETTINGS);
  const { postgres } = notification.stores;
  admin = openPool({ url: postgres.url("admin", "localstreet"), statementTimeoutMs: 20_000 });
});
afterAll(async () => {
  await admin?.end();
  await notification?.stop();
});

const at = () => new Date().toISOString();

async function statusOf(vendorId: string, orderId: string): Promise<string | undefined> {
  const found = await admin.query<{ status: string }>(
    "SELECT status FROM orders WHERE vendor_id = $1 AND order_id = $2",
    [vendorId, orderId],
  );
  return found.rows[0]?.status;
}

async function untilStatus(vendorId: string, orderId: string, status: string): Promise<void> {
  await until(async () => (await statusOf(vendorId, orderId)) === status, {
    ...{ what: `${orderId} is ${status}`, timeoutMs: 10_000 },
  });
}

/** What the log tells of an order, by kind and what it says. */
async function toldOf(vendorId: string, orderId: string): Promise<string[]> {
  const reader = openLogReader(notification.bus, VENDOR_STREAM, { afterSequence: 0, batch: 1_000 });
  const told: string[] = [];
  try {
    for (let atEnd = false; !atEnd; ) {
      const page = await reader.next(100);
      atEnd = page.atEnd;
      for (const { messageId, kind, data } of page.events) {
        const [vendor, , order] = messageId.split(":", 3);
        if (vendor !== vendorId || order !== orderId) continue;
        const { status, state } = JSON.parse(Buffer.from(data).toString());
        told.push(`${kind} ${status ?? state ?? ""}`.trim());
      }
    }
  } finally {
    reader.close();
  }
  return told;
}

/** As a backend tells it that publishes straight to the bus. */
async function tell(vendorId: string, orderId: string, status: OrderStatus): Promise<void> {
  const about = { orderId: orderIdSchema.parse(orderId), vendorId: vendorIdSchema.parse(vendorId) };
  await publishVendorEvent(notification.bus, {
    ...{ vendorId: about.vendorId, kind: "order-updated", data: { ...about, status, at: at() } },
  });
}

test("S44: an order with fields that this version does not know rings, is answered and is shown like any other", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const order = newOrder();
  const [item] = order.items;
  const newer = {
    ...{ ...order, vendorId, placedAt: at(), gift: { wrapping: "red" } },
    items: [{ ...item, allergens: ["milk"] }],
  };
  const messageId = `${vendorId}:new-order:${order.orderId}`;
  await publishRaw(notification, vendorId, messageId, JSON.stringify(newer));
  await untilStatus(vendorId, order.orderId, "placed");
  expect((await acknowledge(two, vendorId, order.orderId, "accepted")).status).toBe(200);
  await untilStatus(vendorId, order.orderId, "accepted");
  const answer = await getOrders(one, vendorId, `/${order.orderId}`);
  expect(answer.status).toBe(200);
  const snapshot = await answer.json();
  expect(orderSnapshotSchema.safeParse(snapshot).success).toBe(true);
  // As the stream shows it.
  expect(snapshot).toMatchObject({ order: newer });
});

test("S44 S22: an order that no version here understands can be answered, and no snapshot is silent about it", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const order = newOrder({ total: { amount: 7_000, of: "SEK" }, vendorId, placedAt: at() });
  const messageId = `${vendorId}:new-order:${order.orderId}`;
  await publishRaw(notification, vendorId, messageId, JSON.stringify(order));
  const next = newOrder();
  await storeOrder(one, vendorId, next);
  await untilStatus(vendorId, next.orderId, "placed");

  expect((await acknowledge(one, vendorId, order.orderId, "received")).status).toBe(200);
  expect((await acknowledge(two, vendorId, order.orderId, "accepted")).status).toBe(200);
  const late = await acknowledge(one, vendorId, order.orderId, "rejected");
  expect(late.status).toBe(409);
  expect(problemDetailsSchema.parse(await late.json())).toMatchObject({ code: "already-decided" });
  expect((await acknowledge(one, vendorId, "never-placed", "received")).status).toBe(404);

  const list = await getOrders(two, vendorId, "?state=all");
  const { current, orders } = ordersSnapshotSchema.parse(await list.json());
  expect([current, orders.map(({ orderId }) => orderId)]).toEqual([false, [next.orderId]]);
  expect((await getOrders(two, vendorId, `/${order.orderId}`)).status).toBe(503);
});

const silent = { info() {}, warn() {}, error() {} };
const unwatched = { applied() {}, standAside() {}, foreign() {}, setAside() {} };

/** One more that may project while it is taken away from the others, of a version that understands what `read` does. */
async function projectAs(read: ReadLogEntry): Promise<OrderProjection & AsyncDisposable> {
  const log = await openSubjectLog(notification.bus, VENDOR_STREAM);
  const ms = 3_600_000;
  const deadlines = { remindAfterMs: ms, remindEveryMs: ms, escalateAfterMs: ms };
  const projection = startOrderProjection({
    ...{ bus: notification.bus, log, logger: silent, metrics: unwatched, read },
    store: openOrderProjection(admin),
    deadlines: { ...deadlines, nobodyAfterMs: ms, expireAfterMs: 2 * ms },
    holder: "the test",
    settings: {
      ...{ tickMs: 20, leaseMs: 60_000, eventsAtOnce: 10, gatherMs: 0, checkpointEvents: 1_000 },
    },
  });
  return Object.assign(projection, { [Symbol.asyncDispose]: () => projection.stop() });
}

/** An older version, which does not understand some events yet. */
const without =
  (isOfTomorrow: (event: LoggedEvent) => boolean): ReadLogEntry =>
  (stored) => {
    const event = parseLoggedEvent(stored);
    if (!event || isUnread(event) || !isOfTomorrow(event)) return event;
    const { orderId } = event.data;
    return { ...event, orderId, data: stored.data, reason: "it is of tomorrow" };
  };

async function setAsideOf(vendorId: string): Promise<number> {
  const found = await admin.query("SELECT 1 FROM set_aside_events WHERE vendor_id = $1", [
    vendorId,
  ]);
  return found.rowCount ?? 0;
}

async function rowsOf(vendorId: string) {
  const { rows } = await admin.query<Record<string, unknown>>(
    "SELECT * FROM orders WHERE vendor_id = $1 ORDER BY order_id",
    [vendorId],
  );
  return rows.map(({ history: _, ...row }) => row);
}

test("S44: what an older version set aside a newer one reads first, and the rows are as if it had been understood at once", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const odd = newOrder({ total: 4_711 });
  const [accepted, rejected] = [newOrder(), newOrder()];
  const end = newOrder({ orderId: `${vendorId}-end` });
  await pauseProjection(Date.now());
  {
    const isOdd = (event: LoggedEvent) => event.kind === "new-order" && event.data.total === 4_711;
    await using _ = await projectAs(
      without((event) => event.kind === "order-acknowledged" || isOdd(event)),
    );
    for (const order of [odd, accepted, rejected]) await storeOrder(one, vendorId, order);
    // Of the second the answer is not understood, and what a backend says after it is.
    expect((await acknowledge(one, vendorId, accepted.orderId, "accepted")).status).toBe(200);
    await tell(vendorId, accepted.orderId, "delivered");
    expect((await acknowledge(one, vendorId, rejected.orderId, "rejected")).status).toBe(200);
    await tell(vendorId, rejected.orderId, "cancelled");
    await tell(vendorId, odd.orderId, "preparing");
    await storeOrder(one, vendorId, end);
    await untilStatus(vendorId, end.orderId, "placed");
    // What it does not understand is as if it had not been, and nothing else stops.
    expect(await statusOf(vendorId, odd.orderId)).toBeUndefined();
    expect(await statusOf(vendorId, accepted.orderId)).toBe("delivered");
    expect(await statusOf(vendorId, rejected.orderId)).toBe("cancelled");
    expect(await setAsideOf(vendorId)).toBe(6);
  }
  // A replica of this version takes over.
  await untilStatus(vendorId, odd.orderId, "preparing");
  const [told] = [await rowsOf(vendorId)];
  expect(told.map(({ order_id, status }) => [order_id, status])).toEqual([
    ...[
      [odd.orderId, "preparing"],
      [accepted.orderId, "delivered"],
      [rejected.orderId, "rejected"],
      [end.orderId, "placed"],
    ].sort(),
  ]);
  expect(await setAsideOf(vendorId)).toBe(0);

  await admin.query("DELETE FROM orders");
  await admin.query("UPDATE projections SET sequence = 0, message_id = NULL, lease_until = now()");
  await untilStatus(vendorId, end.orderId, "placed");
  expect(await rowsOf(vendorId)).toEqual(told);
});

test("O5: a kind that no version here knows is counted and shown until one does", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const order = newOrder();
  await storeOrder(one, vendorId, order);
  const before = await waitingNow();
  const messageId = `${vendorId}:order-weighed:${order.orderId}`;
  await publishRaw(notification, vendorId, messageId, JSON.stringify({ grams: 800 }));
  await until(async () => (await waitingNow()) === before + 1, { what: "one more set aside" });
  const { rows } = await admin.query(
    "SELECT kind, message_id, reason, data FROM set_aside_events WHERE vendor_id = $1",
    [vendorId],
  );
  expect(rows).toEqual([
    {
      ...{ kind: "order-weighed", message_id: messageId, reason: "its kind is not known" },
      data: Buffer.from('{"grams":800}'),
    },
  ]);
  // Its order goes on.
  expect((await acknowledge(one, vendorId, order.orderId, "accepted")).status).toBe(200);
  await untilStatus(vendorId, order.orderId, "accepted");
});

test("S44: a message whose id no database holds is passed over, and stops nothing", async () => {
  const vendorId = newVendor();
  const log = await openSubjectLog(notification.bus, VENDOR_STREAM);
  const { lastSequence } = await log.bounds();
  await publishRaw(notification, vendorId, `${vendorId}:new-order:a\0b`, "{}");
  expect((await log.bounds()).lastSequence).toBe(lastSequence + 1);
  // It is the newest that is projected, and with it an order would be no different.
  await until(
    async () => {
      const { rows } = await admin.query<{ sequence: string }>("SELECT sequence FROM projections");
      return Number(rows[0]?.sequence) > lastSequence;
    },
    { what: "it is passed over" },
  );
  const order = newOrder();
  await storeOrder(notification.replicas[0], vendorId, order);
  await untilStatus(vendorId, order.orderId, "placed");
});

/** What the alarm shows: on the replica that projects. */
async function waitingNow(): Promise<number> {
  for (const { adminUrl } of notification.replicas) {
    const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
    const shown = /^localstreet_projection_set_aside\{.*\} (\d+)$/m.exec(metrics);
    if (shown) return Number(shown[1]);
  }
  return Number.NaN;
}

/** Takes the projection away from the replicas, and says that the log is projected until `throughMs`. */
async function pauseProjection(throughMs: number): Promise<{ resume(): Promise<void> }> {
  const taken = `UPDATE projections SET holder = 'the test', lease_until = now() + interval '1 hour'`;
  await admin.query(taken);
  // Longer than a statement of the holder before may take.
  await admin.query("UPDATE projections SET through_at = $1", [new Date(throughMs)]);
  return {
    async resume() {
      await admin.query("UPDATE projections SET lease_until = now()");
    },
  };
}

const isFired = async (vendorId: string, orderId: string) => {
  const found = await admin.query(
    `SELECT 1 FROM orders o, projections p
      WHERE o.vendor_id = $1 AND o.order_id = $2 AND (o.due_at IS NULL OR o.due_at > p.through_at)`,
    [vendorId, orderId],
  );
  return found.rowCount === 1;
};

test.each(["preparing", "ready", "cancelled"] as const)(
  "S33: an order that is told to be %s before it expires does not expire, on any device or in the record",
  async (status) => {
    const vendorId = newVendor();
    const order = newOrder();
    await storeOrder(notification.replicas[0], vendorId, order);
    await untilStatus(vendorId, order.orderId, "placed");
    const projection = await pauseProjection(Date.now());
    await tell(vendorId, order.orderId, status);
    // Its expiry is due now, by all that the record knows.
    await admin.query("UPDATE projections SET through_at = now() + interval '3 hours'");
    await until(() => isFired(vendorId, order.orderId), { what: "the deadline has fired" });
    await admin.query("UPDATE projections SET through_at = now()");
    await projection.resume();
    await untilStatus(vendorId, order.orderId, status);
    const told = await toldOf(vendorId, order.orderId);
    expect(told.filter((event) => event.startsWith("order-expired"))).toEqual([]);
  },
);

test("S33: what is stored between the look at the log and the expiry is looked at as well", async () => {
  const vendorId = vendorIdSchema.parse(newVendor());
  const { bus } = notification;
  const log = await openSubjectLog(bus, VENDOR_STREAM);
  const placed = [newOrder(), newOrder(), newOrder()];
  for (const order of placed) await storeOrder(notification.replicas[0], vendorId, order);
  const [busy, told, forgotten] = placed.map(({ orderId }) => orderIdSchema.parse(orderId)) as [
    ...[OrderId, OrderId, OrderId],
  ];
  let looks = 0;
  const expiries = createExpiries({
    bus,
    log: {
      ...{ bounds: log.bounds, pages: log.pages },
      async head(subject) {
        const head = await log.head(subject);
        looks += 1;
        // The worst moment: after the look, before the publish.
        if (looks === 1) await storeOrder(notification.replicas[1], vendorId);
        if (looks === 2) await tell(vendorId, told, "preparing");
        return head;
      },
    },
    until: { at: new Date(), epoch: (await log.bounds()).epoch, sequence: 0 },
  });
  const expire = (orderId: OrderId) => {
    const data = { orderId, vendorId, at: at(), placedAt: at() };
    return expiries.expire({ vendorId, orderId } as OrderRow, data);
  };
  expect(await Promise.all([told, busy, forgotten].map(expire))).toEqual([
    ...["answered", "expired", "expired"],
  ]);
  expect(await expire(busy)).toBe("answered");
  expect(await toldOf(vendorId, told)).toEqual(["new-order", "order-updated preparing"]);
  expect(await toldOf(vendorId, busy)).toEqual(["new-order", "order-expired"]);
});

/** Statements that the database has finished, as far as it has told. */
async function statementsNow(): Promise<number> {
  const { rows } = await admin.query<{ done: number }>(
    "SELECT xact_commit::float8 AS done FROM pg_stat_database WHERE datname = current_database()",
  );
  return rows[0]?.done ?? 0;
}

test("S45: while the record lags the position alone is asked for, once for all who wait, and the list is read once", async () => {
  const vendorId = newVendor();
  const patient = await notification.startReplica({ ORDERS_WAIT_MS: "4000", ORDERS_WAITING: "30" });
  const projection = await pauseProjection(Date.now());
  await storeOrder(patient, vendorId);
  const before = await statementsNow();
  const startedMs = performance.now();
  const took: number[] = [];
  const answers = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const answer = await getOrders(patient, vendorId);
      took.push(performance.now() - startedMs);
      return ordersSnapshotSchema.parse(await answer.json());
    }),
  );
  expect(answers.map(({ current, orders }) => [current, orders.length])).toEqual(
    answers.map(() => [false, 0]),
  );
  // Thirty wait, one more does not.
  expect(took.filter((ms) => ms < 3_990)).toHaveLength(10);
  // One read each, 160 of the position, and the ticks of three replicas. It was a read every 25 ms for each.
  expect((await statementsNow()) - before).toBeLessThan(1_500);
  await projection.resume();
  const current = ordersSnapshotSchema.parse(await (await getOrders(patient, vendorId)).json());
  expect([current.current, current.orders.length]).toEqual([true, 1]);
  await patient.stop();
});

test("S23 S30: a status past accepted answers the order in the log, so no other answer is taken after it", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const [order, other] = [newOrder(), newOrder()];
  for (const each of [order, other]) await storeOrder(one, vendorId, each);
  await untilStatus(vendorId, other.orderId, "placed");
  // Nobody can look at the record, so the log alone decides.
  await notification.stores.postgres.kill();
  try {
    expect((await postStatus(one, vendorId, order.orderId, "preparing")).status).toBe(202);
    const late = await acknowledge(two, vendorId, order.orderId, "rejected");
    expect(late.status).toBe(409);
    expect(problemDetailsSchema.parse(await late.json()).winner).toMatchObject({
      ...{ state: "accepted", by: null },
    });
    expect((await acknowledge(two, vendorId, other.orderId, "rejected")).status).toBe(200);
    const tooLate = await postStatus(one, vendorId, other.orderId, "ready");
    expect(tooLate.status).toBe(409);
    expect(await tooLate.json()).toMatchObject({ winner: { state: "rejected", by: "sam" } });
  } finally {
    await notification.stores.postgres.start();
  }
  await untilStatus(vendorId, order.orderId, "preparing");
  await untilStatus(vendorId, other.orderId, "rejected");
});

/** What moves the clock of a process that starts with it. */
function clockOff(ms: number): string {
  const patch = `const Real = Date; globalThis.Date = class extends Real {
    constructor(...given) { if (given.length) super(...given); else super(Real.now() + ${ms}); }
    static now() { return Real.now() + ${ms}; } };`;
  return `--import=data:text/javascript,${encodeURIComponent(patch)}`;
}

test.each([
  ["ahead", 600_000],
  ["behind", -600_000],
])(
  "S34: a replica whose clock is ten minutes %s fires nothing early and everything in time",
  { timeout: 60_000 },
  async (_, ms) => {
    const settings = {
      ...{ ORDER_REMIND_AFTER_MS: "1500", ORDER_REMIND_EVERY_MS: "3600000" },
      ...{ ORDER_EXPIRE_AFTER_MS: "300000", NODE_OPTIONS: clockOff(ms) },
      // To a clock that is behind every token is dated ahead (A10).
      AUTH_CLOCK_SKEW_MS: "3600000",
    };
    // It projects and fires alone.
    const lease = await pauseProjection(Date.now());
    const replicas = notification.replicas.map((replica) => replica.stop());
    await Promise.all(replicas);
    await lease.resume();
    const odd = await notification.startProcess(settings);
    try {
      const vendorId = newVendor();
      const order = newOrder();
      await storeOrder(odd, vendorId, order);
      await untilStatus(vendorId, order.orderId, "placed");
      const storedMs = Date.now();
      await until(async () => (await toldOf(vendorId, order.orderId)).includes("order-reminder"), {
        what: "the reminder",
        timeoutMs: 10_000,
      });
      expect(Date.now() - storedMs).toBeGreaterThan(1_000);
      expect(await toldOf(vendorId, order.orderId)).toEqual(["new-order", "order-reminder"]);
    } finally {
      await odd.kill();
    }
  },
);

test("S39 S40: which day it is Postgres says, not the clock of a replica", {
  timeout: 60_000,
}, async () => {
  const day = 86_400_000;
  const odd = await notification.startProcess({ NODE_OPTIONS: clockOff(day) });
  try {
    const vendorId = newVendor();
    const { rows } = await admin.query<{ day: string }>(
      "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day",
    );
    const token = await tokenFor({
      ...{ role: "vendor", sub: "sam", vendors: [vendorId], expiresInSeconds: 3 * 86_400 },
    });
    const url = `${odd.url}/api/vendor/${vendorId}/activity/stream`;
    const stream = await openEventStream(url, { token });
    const { data } = await stream.next(({ event }) => event === "summary", 15_000);
    const summary = summarySchema.parse(JSON.parse(data));
    expect(summary.day >= (rows[0]?.day ?? "")).toBe(true);
    expect(Date.parse(summary.asOf ?? "")).toBeLessThan(Date.now() + day / 2);
    expect(Date.parse(summary.day)).toBeLessThan(Date.now());
    stream.close();
  } finally {
    await odd.kill();
  }
});

test("S30: a log that went back is read again from the newest checkpoint that it still holds", async () => {
  const vendorId = newVendor();
  const often = await notification.startReplica({ ORDER_CHECKPOINT_EVENTS: "5" });
  await Promise.all(notification.replicas.map((replica) => replica.stop()));
  const orders = Array.from({ length: 60 }, () => newOrder());
  for (const order of orders) {
    await storeOrder(often, vendorId, order);
    // So that each comes in a batch of its own.
    await untilStatus(vendorId, order.orderId, "placed");
  }
  const { rows: before } = await admin.query<{ history: number; sequence: string }>(
    "SELECT history, sequence FROM projections",
  );
  const { rows: checkpoints } = await admin.query("SELECT 1 FROM projection_checkpoints");
  expect(checkpoints.length).toBeGreaterThan(2);
  expect(checkpoints.length).toBeLessThan(20);
  // As after a restore of a backup from before the newest events: the position is past the log's end.
  await admin.query(
    "UPDATE projections SET sequence = sequence + 3, holder = '', lease_until = now()",
  );
  await until(
    async () => {
      const { rows } = await admin.query<{ history: number; sequence: string }>(
        "SELECT history, sequence FROM projections",
      );
      return rows[0]?.history !== before[0]?.history && rows[0]?.sequence === before[0]?.sequence;
    },
    { what: "the end in another history", timeoutMs: 10_000 },
  );
  const again = await admin.query("SELECT 1 FROM orders WHERE vendor_id = $1 AND history > $2", [
    vendorId,
    before[0]?.history,
  ]);
  expect(again.rowCount).toBeGreaterThan(0);
  expect(again.rowCount).toBeLessThan(10);
  await often.stop();
});

import { openLogReader } from "@localstreet/bus/log-reader";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import type { Acknowledgement, OrderStatus } from "@localstreet/contracts/order";
import { OPS_STREAM, VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { escalationSchema } from "@localstreet/contracts/vendor-events";
import { openPool, type Pool } from "@localstreet/db/pool";
import type { EventStream } from "@localstreet/testkit/sse-client";
import { until } from "@localstreet/testkit/wait";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  postOrder,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

const DEADLINES = {
  ORDER_REMIND_AFTER_MS: "400",
  ORDER_REMIND_EVERY_MS: "400",
  ORDER_NOBODY_AFTER_MS: "600",
  ORDER_ESCALATE_AFTER_MS: "1000",
  ORDER_EXPIRE_AFTER_MS: "2000",
  ORDER_TICK_MS: "50",
  ORDER_LEASE_MS: "500",
};

let notification: Notification;
let admin: Pool;
beforeAll(async () => {
  notification = await startNotification(DEADLINES);
  const { postgres } = notification.stores;
  admin = openPool({ url: postgres.url("admin", "localstreet"), statementTimeoutMs: 20_000 });
});
afterAll(async () => {
  await admin?.end();
  await notification?.stop();
});

interface LoggedMessage {
  readonly subject: string;
  readonly messageId: string;
  readonly data: { orderId: string; [field: string]: unknown };
}

/** Everything that a stream holds of one vendor, in order. */
async function logOf(stream: string, vendorId: string): Promise<LoggedMessage[]> {
  const reader = openLogReader(notification.bus, stream, { afterSequence: 0, batch: 1_000 });
  const messages: LoggedMessage[] = [];
  try {
    for (let atEnd = false; !atEnd; ) {
      const page = await reader.next(100);
      atEnd = page.atEnd;
      for (const { subject, messageId, data } of page.events) {
        if (subject.split(".")[1] !== vendorId) continue;
        messages.push({ subject, messageId, data: JSON.parse(Buffer.from(data).toString()) });
      }
    }
  } finally {
    reader.close();
  }
  return messages;
}

/** What the log tells of an order after `new-order`, by the part of its id that names it. */
async function ringsOf(vendorId: string, orderId: string): Promise<string[]> {
  const messages = await logOf(VENDOR_STREAM, vendorId);
  return messages
    .filter(({ data }) => data.orderId === orderId)
    .map(({ messageId }) => messageId.replace(`${vendorId}:`, "").replace(`:${orderId}`, ""));
}

async function answer(vendorId: string, orderId: string, state: Acknowledgement): Promise<void> {
  const about = { orderId: orderIdSchema.parse(orderId), vendorId: vendorIdSchema.parse(vendorId) };
  const by = personIdSchema.parse("sam");
  const data = { ...about, state, by, at: new Date().toISOString() };
  await publishVendorEvent(notification.bus, {
    ...{ vendorId: about.vendorId, kind: "order-acknowledged", data },
  });
}

async function tell(vendorId: string, orderId: string, status: OrderStatus): Promise<void> {
  const about = { orderId: orderIdSchema.parse(orderId), vendorId: vendorIdSchema.parse(vendorId) };
  const data = { ...about, status, at: new Date().toISOString() };
  await publishVendorEvent(notification.bus, {
    ...{ vendorId: about.vendorId, kind: "order-updated", data },
  });
}

const isExpiry = ({ event }: { event: string }) => event === "order-expired";

function ringsOn(stream: EventStream): string[] {
  return stream.events
    .filter(({ event }) => event.startsWith("order-"))
    .map(({ id, event, data }) => `${id} ${event} ${JSON.parse(data).reminder ?? ""}`.trim());
}

async function statusOf(vendorId: string, orderId: string): Promise<string | undefined> {
  const found = await admin.query<{ status: string }>(
    "SELECT status FROM orders WHERE vendor_id = $1 AND order_id = $2",
    [vendorId, orderId],
  );
  return found.rows[0]?.status;
}

test("S31 S32 S33: an unanswered order is repeated, escalated and expires, once each on every device", async () => {
  const vendorId = newVendor();
  const [one, two] = notification.replicas;
  const first = await openVendorStream(one, vendorId);
  const second = await openVendorStream(two, vendorId);
  const order = newOrder();
  const placedMs = Date.now();
  await storeOrder(one, vendorId, order);
  await Promise.all([first, second].map((stream) => stream.next(isExpiry, 10_000)));
  expect(ringsOn(first)).toEqual(ringsOn(second));
  const rings = first.events.filter(({ event }) => event.startsWith("order-"));
  const reminders = rings.filter(({ event }) => event === "order-reminder");
  const numbers = reminders.map(({ data }) => JSON.parse(data).reminder as number);
  expect(numbers.length).toBeGreaterThan(1);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  for (const { data } of reminders) {
    const { reminder, at, total, currency, placedAt } = JSON.parse(data);
    expect(Date.parse(at) - placedMs).toBeGreaterThanOrEqual(400 * reminder);
    expect({ total, currency }).toEqual({ total: order.total, currency: order.currency });
    expect(placedAt).toBe(JSON.parse(first.events.find(isNewOrder)?.data ?? "{}").placedAt);
  }
  const escalations = rings.filter(({ event }) => event === "order-escalated");
  expect(escalations).toHaveLength(1);
  expect(JSON.parse(escalations[0]?.data ?? "{}")).toMatchObject({ reason: "unanswered" });
  expect(rings.at(-1)?.event).toBe("order-expired");
  expect(rings.filter(isExpiry)).toHaveLength(1);

  const told = await logOf(OPS_STREAM, vendorId);
  expect(told).toHaveLength(1);
  expect(told[0]?.subject).toBe(`ops.${vendorId}.escalated`);
  expect(told[0]?.messageId).toBe(`${vendorId}:order-escalated:${order.orderId}`);
  expect(escalationSchema.parse(told[0]?.data)).toMatchObject({
    ...{ vendorId, orderId: order.orderId, reason: "unanswered", eventId: escalations[0]?.id },
  });
  await until(async () => (await statusOf(vendorId, order.orderId)) === "expired", {
    what: "the record knows it too",
  });
  first.close();
  second.close();
});

const isNewOrder = ({ event }: { event: string }) => event === "new-order";

test("S31 S33: an answer and a cancellation end the ringing, having been seen does not", async () => {
  const vendorId = newVendor();
  const stream = await openVendorStream(notification.replicas[1], vendorId);
  const orders = [newOrder(), newOrder(), newOrder(), newOrder()];
  const [accepted, rejected, cancelled, seen] = orders.map(({ orderId }) => orderId) as [
    ...[string, string, string, string],
  ];
  for (const order of orders) await storeOrder(notification.replicas[0], vendorId, order);
  await stream.next(({ event }) => event === "order-reminder");
  await Promise.all([
    answer(vendorId, accepted, "accepted"),
    answer(vendorId, rejected, "rejected"),
    tell(vendorId, cancelled, "cancelled"),
    answer(vendorId, seen, "seen"),
  ]);
  await stream.next(isExpiry, 10_000);
  // The others are past their expiry too: they were placed before.
  await until(async () => (await statusOf(vendorId, seen)) === "expired", { what: "the expiry" });
  for (const orderId of [accepted, rejected, cancelled]) {
    const rings = await ringsOf(vendorId, orderId);
    const end = rings.findIndex((ring) => /outcome|cancelled/.test(ring));
    // One that was under way when the answer was stored may come right after it.
    expect(rings.slice(end + 1).filter((ring) => ring !== "order-reminder:1")).toEqual([]);
  }
  expect((await ringsOf(vendorId, seen)).slice(-1)).toEqual(["order-outcome"]);
  expect(await statusOf(vendorId, accepted)).toBe("accepted");
  expect(await statusOf(vendorId, rejected)).toBe("rejected");
  expect(await statusOf(vendorId, cancelled)).toBe("cancelled");
  stream.close();
});

/** The reason of an order's escalation. */
async function escalationOf(vendorId: string): Promise<unknown> {
  await until(async () => (await logOf(OPS_STREAM, vendorId)).length > 0, {
    ...{ what: "an escalation", timeoutMs: 10_000 },
  });
  return (await logOf(OPS_STREAM, vendorId))[0]?.data.reason;
}

test("S32: with no device open an order is escalated early, with one it is not", async () => {
  const [nobody, somebody, late] = [newVendor(), newVendor(), newVendor()];
  const [one, two] = notification.replicas;
  const stream = await openVendorStream(two, somebody);
  for (const vendorId of [nobody, somebody, late]) await storeOrder(one, vendorId);
  const lateStream = await openVendorStream(one, late);
  expect(await escalationOf(nobody)).toBe("nobody-connected");
  expect(await escalationOf(somebody)).toBe("unanswered");
  expect(await escalationOf(late)).toBe("unanswered");
  stream.close();
  lateStream.close();
});

test("S32: a Redis that lost everything makes no device seem to be away", async () => {
  const vendorId = newVendor();
  const [one, two] = notification.replicas;
  const stream = await openVendorStream(two, vendorId);
  const redis = new Redis(notification.stores.redis.url("admin"));
  await storeOrder(one, vendorId);
  await redis.flushall();
  redis.disconnect();
  expect(await escalationOf(vendorId)).toBe("unanswered");
  stream.close();
});

test("S32 S34: no deadline depends on Redis; without it nobody is said to be away", async () => {
  const vendorId = newVendor();
  await notification.stores.redis.kill();
  try {
    const order = newOrder();
    await storeOrder(notification.replicas[0], vendorId, order);
    expect(await escalationOf(vendorId)).toBe("unanswered");
    await until(async () => (await statusOf(vendorId, order.orderId)) === "expired", {
      what: "the expiry",
    });
  } finally {
    await notification.stores.redis.start();
  }
});

test("S34 S30: while Postgres is away orders are taken and delivered; when it is back what is due fires once", {
  timeout: 60_000,
}, async () => {
  const replicas = [];
  const slow = { ORDER_ESCALATE_AFTER_MS: "1200", ORDER_EXPIRE_AFTER_MS: "600000" };
  for (const service of notification.replicas) await service.stop();
  for (let index = 0; index < 2; index += 1) replicas.push(await notification.startReplica(slow));
  const [one, two] = replicas as [(typeof replicas)[number], (typeof replicas)[number]];
  const vendorId = newVendor();
  const stream = await openVendorStream(two, vendorId);
  const [before, answered, during] = [newOrder(), newOrder(), newOrder()];
  await storeOrder(one, vendorId, before);
  await storeOrder(one, vendorId, answered);
  await until(async () => (await statusOf(vendorId, answered.orderId)) === "placed", {
    what: "the orders are projected",
  });
  await notification.stores.postgres.kill();

  const startMs = Date.now();
  expect((await postOrder(one, vendorId, during)).status).toBe(202);
  await stream.next(({ data }) => data.includes(during.orderId));
  const another = await openVendorStream(one, vendorId, { lastEventId: stream.resume.to });
  await another.next(({ data }) => data.includes(during.orderId));
  expect(Date.now() - startMs).toBeLessThan(2_000);
  await answer(vendorId, answered.orderId, "accepted");
  const ringsBefore = (await ringsOf(vendorId, before.orderId)).length;
  await until(() => Date.now() - startMs > 2_500, { what: "all deadlines but the expiry pass" });
  expect(await ringsOf(vendorId, during.orderId)).toEqual(["new-order"]);

  await notification.stores.postgres.start();
  await stream.next(({ event, data }) => {
    return event === "order-escalated" && data.includes(during.orderId);
  }, 15_000);
  const rings = await ringsOf(vendorId, during.orderId);
  const escalated = rings.indexOf("order-escalated");
  // Not the six that were missed: the newest, then the escalation.
  expect(rings.slice(0, escalated + 1)).toEqual([
    ...["new-order", expect.stringMatching(/^order-reminder:[5-9]|\d\d$/), "order-escalated"],
  ]);
  await until(async () => (await ringsOf(vendorId, before.orderId)).includes("order-escalated"), {
    what: "the escalation of the first order",
  });
  const all = await ringsOf(vendorId, before.orderId);
  expect(new Set(all).size).toBe(all.length);
  expect(all.length).toBeLessThanOrEqual(ringsBefore + 3);
  const outcome = await ringsOf(vendorId, answered.orderId);
  expect(outcome.slice(outcome.indexOf("order-outcome") + 1)).toEqual([]);
  stream.close();
  another.close();
  for (const service of replicas) await service.stop();
});

test("S34: a replica that is killed between publishing and committing leaves each event once", {
  timeout: 60_000,
}, async () => {
  const settings = { ORDER_REMIND_EVERY_MS: "600000", ORDER_EXPIRE_AFTER_MS: "600000" };
  const dying = await notification.startProcess(settings);
  const vendorId = newVendor();
  const order = newOrder();
  await storeOrder(dying, vendorId, order);
  await until(async () => (await statusOf(vendorId, order.orderId)) === "placed", {
    what: "the order is projected",
  });
  // Lets rows be locked and keeps every one from being changed.
  const lock = await admin.connect();
  await lock.query("BEGIN");
  await lock.query("LOCK TABLE orders IN SHARE MODE");
  const rings = () => ringsOf(vendorId, order.orderId);
  await until(async () => (await rings()).some((ring) => ring !== "new-order"), {
    ...{ what: "the first event of a deadline", timeoutMs: 10_000 },
  });
  await dying.kill();
  await lock.query("ROLLBACK");
  lock.release();

  const survivor = await notification.startReplica(settings);
  await until(async () => (await logOf(OPS_STREAM, vendorId)).length > 0, {
    ...{ what: "the escalation", timeoutMs: 10_000 },
  });
  const isMoved = async () => {
    const found = await admin.query(
      "SELECT 1 FROM orders WHERE order_id = $1 AND reminders = 1 AND ops_told AND escalated_at IS NOT NULL",
      [order.orderId],
    );
    return found.rowCount === 1;
  };
  await until(isMoved, { what: "the row remembers it", timeoutMs: 10_000 });
  expect((await rings()).sort()).toEqual(["new-order", "order-escalated", "order-reminder:1"]);
  expect(await logOf(OPS_STREAM, vendorId)).toHaveLength(1);
  await survivor.stop();
});

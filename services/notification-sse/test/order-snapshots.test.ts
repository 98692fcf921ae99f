import {
  type OrdersSnapshot,
  orderSnapshotSchema,
  ordersSnapshotSchema,
} from "@localstreet/contracts/order-answers";
import { openPool } from "@localstreet/db/pool";
import type { RunningService } from "@localstreet/service-kit/service";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { acknowledge, getOrders, postStatus } from "./order-requests.ts";
import {
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  postOrder,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification({ ORDERS_LISTED: "200" });
});
afterAll(() => notification.stop());

async function snapshotOf(
  replica: RunningService,
  vendorId: string,
  query = "?state=all&limit=200",
): Promise<OrdersSnapshot> {
  const response = await getOrders(replica, vendorId, query);
  expect(response.status).toBe(200);
  return ordersSnapshotSchema.parse(await response.json());
}

/** Keeps the record from moving, as a table that somebody has locked does. */
async function holdProjection(): Promise<{ release(): Promise<void> }> {
  const url = notification.stores.postgres.url("admin", "localstreet");
  const pool = openPool({ url, statementTimeoutMs: 60_000 });
  const client = await pool.connect();
  await client.query("BEGIN");
  await client.query("SELECT 1 FROM projections FOR UPDATE");
  return {
    async release() {
      await client.query("ROLLBACK");
      client.release();
      await pool.end();
    },
  };
}

test("S25: a snapshot and the stream from its asOf tell every event once, while orders are placed and answered", async () => {
  const vendorId = newVendor();
  const other = newVendor();
  const [one, two] = notification.replicas;
  const total = 60;
  let written = 0;
  const writing = (async () => {
    for (let number = 1; number <= total; number += 1) {
      const order = newOrder({ orderId: `${vendorId}-${number}` });
      await storeOrder(number % 2 ? one : two, vendorId, order);
      // Others' events lie between, so that positions are mostly of events that the stream never shows.
      await storeOrder(number % 2 ? two : one, other);
      if (number % 3 === 0) {
        const state = number % 2 ? "accepted" : "rejected";
        const response = await acknowledge(two, vendorId, order.orderId, state);
        expect(response.status).toBe(200);
      }
      written = number;
    }
  })();

  const followers: Promise<void>[] = [];
  for (let round = 0; round < 12; round += 1) {
    await until(() => written >= round * 5, { what: "more orders", timeoutMs: 30_000 });
    const [reader, streamer] = round % 2 ? [one, two] : [two, one];
    const { asOf, orders } = await snapshotOf(reader, vendorId);
    followers.push(
      (async () => {
        const stream = await openVendorStream(streamer, vendorId, { lastEventId: asOf });
        expect(stream.resume.status).toBe("complete");
        // What a page shows: the snapshot, and every event applied to it.
        const states = new Map(orders.map(({ orderId, state }) => [orderId, state as string]));
        await writing;
        const last = await snapshotOf(reader, vendorId);
        const wanted = new Map(last.orders.map(({ orderId, state }) => [orderId, state as string]));
        const apply = () => {
          const shown = new Map(states);
          for (const { event, data } of stream.events) {
            const { orderId, state } = JSON.parse(data);
            // Placed twice would be an order of the snapshot that the stream told again.
            if (event === "new-order") {
              expect(shown.has(orderId)).toBe(false);
              shown.set(orderId, "ringing");
            }
            if (event === "order-acknowledged") {
              expect(shown.get(orderId)).toBe("ringing");
              shown.set(orderId, state);
            }
          }
          return shown;
        };
        await until(
          () => apply().size === total && stream.events.length >= expectedEvents(states),
          { what: "the rest of the events", timeoutMs: 15_000 },
        );
        expect(apply()).toEqual(wanted);
        stream.close();
      })(),
    );
  }
  await Promise.all(followers);

  /** Its `resume`, the orders that are not in the snapshot, and the answers that are not. */
  function expectedEvents(states: Map<string, string>): number {
    const answered = [...states.values()].filter((state) => state !== "ringing").length;
    return 1 + (total - states.size) + (total / 3 - answered);
  }
}, 60_000);

test("S25 S26: an order's way is the same on every replica, with who did what and when", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const order = newOrder({ note: "by the \u0007 back door" });
  await storeOrder(one, vendorId, order);
  async function orderNow() {
    const [first, second] = await Promise.all(
      [one, two].map(async (replica) => {
        const response = await getOrders(replica, vendorId, `/${order.orderId}`);
        expect(response.status).toBe(200);
        return orderSnapshotSchema.parse(await response.json());
      }),
    );
    expect(first?.order).toEqual(second?.order);
    expect(first?.current).toBe(true);
    if (!first) throw new Error("no answer");
    return first.order;
  }
  expect(await orderNow()).toEqual({
    ...order,
    vendorId,
    placedAt: expect.any(String),
    status: "placed",
    state: "ringing",
    receivedAt: null,
    seenAt: null,
    answeredAt: null,
    answeredBy: null,
    escalatedAt: null,
    escalationReason: null,
    expiredAt: null,
    cancelledAt: null,
    reminders: 0,
  });
  await acknowledge(two, vendorId, order.orderId, "received");
  expect(await orderNow()).toMatchObject({ state: "received", receivedAt: expect.any(String) });
  await acknowledge(one, vendorId, order.orderId, "seen", "kim");
  expect(await orderNow()).toMatchObject({ state: "seen", seenAt: expect.any(String) });
  await acknowledge(two, vendorId, order.orderId, "accepted", "kim");
  expect(await orderNow()).toMatchObject({
    status: "accepted",
    state: "accepted",
    answeredBy: "kim",
    answeredAt: expect.any(String),
  });
  await postStatus(one, vendorId, order.orderId, "ready");
  expect(await orderNow()).toMatchObject({ status: "ready", state: "accepted" });
  await postStatus(one, vendorId, order.orderId, "cancelled");
  expect(await orderNow()).toMatchObject({ state: "cancelled", cancelledAt: expect.any(String) });
});

test("S25: the open ones, the oldest first; all, the newest first; and whether there are more", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const orders = Array.from({ length: 5 }, () => newOrder());
  for (const order of orders) await storeOrder(one, vendorId, order);
  const ids = orders.map(({ orderId }) => orderId) as [string, string, string, string, string];
  await acknowledge(two, vendorId, ids[1], "accepted");
  await postStatus(two, vendorId, ids[3], "cancelled");
  const idsOf = ({ orders }: OrdersSnapshot) => orders.map(({ orderId }) => orderId);
  const open = await snapshotOf(two, vendorId, "");
  expect([idsOf(open), open.more, open.current]).toEqual([[ids[0], ids[2], ids[4]], false, true]);
  const two_ = await snapshotOf(one, vendorId, "?state=open&limit=2");
  expect([idsOf(two_), two_.more]).toEqual([[ids[0], ids[2]], true]);
  const all = await snapshotOf(one, vendorId, "?state=all");
  expect([idsOf(all), all.more]).toEqual([[...ids].reverse(), false]);
  expect(all.orders.map(({ state }) => state)).toEqual([
    "ringing",
    "cancelled",
    "ringing",
    "accepted",
    "ringing",
  ]);
  expect(idsOf(await snapshotOf(one, newVendor(), ""))).toEqual([]);
  for (const query of ["?limit=0", "?limit=201", "?limit=x", "?state=ringing", "?open=1"]) {
    expect((await getOrders(one, vendorId, query)).status).toBe(400);
  }
});

test("S26 A6: an order that is not there, another's, and for whom the record is", async () => {
  const [one, two] = notification.replicas;
  const [vendorId, other] = [newVendor(), newVendor()];
  const theirs = newOrder();
  await storeOrder(one, other, theirs);
  for (const orderId of ["never-placed", theirs.orderId]) {
    expect((await getOrders(two, vendorId, `/${orderId}`)).status).toBe(404);
  }
  expect((await getOrders(two, vendorId, "/a.b")).status).toBe(400);
  const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
  for (const path of ["", `/${theirs.orderId}`]) {
    const url = `${one.url}/api/vendor/${other}/orders${path}`;
    const foreign = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    expect(foreign.status).toBe(404);
    expect((await fetch(url)).status).toBe(401);
    const service = await tokenFor({ role: "service", sub: "backend" });
    const wrong = await fetch(url, { headers: { authorization: `Bearer ${service}` } });
    expect(wrong.status).toBe(403);
  }
});

test("S25: a record that is behind says so, and the stream from it brings the rest", async () => {
  const [one] = notification.replicas;
  const two = await notification.startReplica({ ORDERS_WAIT_MS: "200" });
  const vendorId = newVendor();
  const first = newOrder();
  await storeOrder(one, vendorId, first);
  await snapshotOf(one, vendorId);
  const projection = await holdProjection();
  const second = newOrder();
  await storeOrder(two, vendorId, second);
  const behind = await snapshotOf(two, vendorId);
  expect(behind.current).toBe(false);
  expect(behind.orders.map(({ orderId }) => orderId)).toEqual([first.orderId]);
  // It is not known to be missing either.
  expect((await getOrders(two, vendorId, `/${second.orderId}`)).status).toBe(503);
  expect((await acknowledge(two, vendorId, second.orderId, "accepted")).status).toBe(200);
  expect((await acknowledge(two, vendorId, second.orderId, "rejected")).status).toBe(409);
  expect((await acknowledge(two, vendorId, "never-placed", "received")).status).toBe(404);
  const stream = await openVendorStream(one, vendorId, { lastEventId: behind.asOf });
  expect(stream.resume.status).toBe("complete");
  await stream.next(({ event }) => event === "order-acknowledged");
  expect(stream.events.map(({ event }) => event)).toEqual([
    "resume",
    "new-order",
    "order-acknowledged",
  ]);
  stream.close();
  await projection.release();
  await until(async () => (await snapshotOf(one, vendorId)).current, { what: "it catches up" });
});

test("S26: without Postgres a read is a 503; without NATS the record is told as it is", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const order = newOrder();
  await storeOrder(one, vendorId, order);
  await snapshotOf(one, vendorId);
  await notification.stores.nats.kill();
  const alone = await snapshotOf(one, vendorId);
  expect([alone.current, alone.orders[0]?.orderId]).toEqual([false, order.orderId]);
  await notification.stores.nats.start();

  await notification.stores.postgres.kill();
  for (const path of ["", `/${order.orderId}`]) {
    const response = await getOrders(one, vendorId, path);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  }
  await until(async () => (await postOrder(one, vendorId)).status === 202, {
    what: "orders are taken",
    timeoutMs: 10_000,
  });
  await notification.stores.postgres.start();
  await until(async () => (await getOrders(one, vendorId)).status === 200, {
    what: "the record is back",
    timeoutMs: 15_000,
  });
});

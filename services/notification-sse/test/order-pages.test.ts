import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { type OrdersSnapshot, ordersSnapshotSchema } from "@localstreet/contracts/order-answers";
import type { RunningService } from "@localstreet/service-kit/service";
import { tokenFor } from "@localstreet/testkit/tokens";
import { afterAll, beforeAll, expect, test } from "vitest";
import { acknowledge, getOrders, postStatus } from "./order-requests.ts";
import {
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification();
});
afterAll(() => notification.stop());

/** Stores that many orders, a hundred at once: many share a time. @returns their ids. */
async function storeOrders(vendorId: string, count: number): Promise<string[]> {
  const [one] = notification.replicas;
  const orders = Array.from({ length: count }, () => newOrder());
  for (let start = 0; start < count; start += 100) {
    const response = await fetch(`${one.url}/api/vendor/${vendorId}/orders/batch`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await tokenFor({ role: "service", sub: "backend" })}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ orders: orders.slice(start, start + 100) }),
    });
    expect(response.status).toBe(200);
  }
  return orders.map(({ orderId }) => orderId);
}

async function page(
  replica: RunningService,
  vendorId: string,
  query: string,
): Promise<OrdersSnapshot> {
  const response = await getOrders(replica, vendorId, query);
  expect(response.status).toBe(200);
  return ordersSnapshotSchema.parse(await response.json());
}

const idsOf = ({ orders }: OrdersSnapshot) => orders.map(({ orderId }) => orderId as string);

/** Every page of a list; `between` runs after each but the last. */
async function allPages(
  vendorId: string,
  query: string,
  between: (pages: readonly OrdersSnapshot[]) => Promise<void> = async () => {},
): Promise<OrdersSnapshot[]> {
  const pages: OrdersSnapshot[] = [];
  for (let after: string | null = ""; after !== null; ) {
    // Each page comes from another replica than the one before.
    const replica = notification.replicas[pages.length % 2 === 0 ? 0 : 1];
    const next = after && `&after=${encodeURIComponent(after)}`;
    const snapshot: OrdersSnapshot = await page(replica, vendorId, `${query}${next}`);
    pages.push(snapshot);
    expect(snapshot.more).toBe(snapshot.next !== null);
    after = snapshot.next;
    if (after !== null) await between(pages);
  }
  return pages;
}

test("S25: the pages of 270 open orders and the stream from their asOf tell of each one, while some are answered and placed between the pages", async () => {
  const vendorId = newVendor();
  const [one, two] = notification.replicas;
  const ids = await storeOrders(vendorId, 270);
  const answered: string[] = [];
  const placed: string[] = [];
  const answer = async (orderId: string | undefined) => {
    if (orderId === undefined) throw new Error("no such order");
    const state = answered.length % 2 ? "rejected" : "accepted";
    expect((await acknowledge(two, vendorId, orderId, state)).status).toBe(200);
    answered.push(orderId);
  };

  const pages = await allPages(vendorId, "?state=open&limit=60", async (soFar) => {
    const known = new Set(soFar.flatMap(idsOf));
    const ahead = ids.filter((id) => !known.has(id) && !answered.includes(id));
    // One that a page has told, the last one told, and two that no page has told yet.
    await answer(idsOf(soFar[0] as OrdersSnapshot)[soFar.length]);
    await answer(idsOf(soFar.at(-1) as OrdersSnapshot).at(-1));
    await answer(ahead[0]);
    if (ahead.length > 1) await answer(ahead.at(-1));
    // A new one belongs at the end; one whose backend says that it was placed long ago, before the first page.
    const newest = newOrder();
    await storeOrder(one, vendorId, newest);
    const late = `late-${soFar.length}`;
    await publishVendorEvent(notification.bus, {
      vendorId: vendorIdSchema.parse(vendorId),
      kind: "new-order",
      data: {
        ...newOrder(),
        buyerId: personIdSchema.parse("ana"),
        orderId: orderIdSchema.parse(late),
        vendorId: vendorIdSchema.parse(vendorId),
        placedAt: "2020-01-01T00:00:00.000Z",
      },
    });
    placed.push(newest.orderId, late);
  });

  expect(pages.length).toBeGreaterThanOrEqual(5);
  const told = pages.flatMap(idsOf);
  expect(new Set(told).size).toBe(told.length);
  // All say from where the stream has to begin: from before the first of them.
  expect(new Set(pages.map(({ asOf }) => asOf)).size).toBe(1);
  const inOrder = pages.flatMap(({ orders }) => orders);
  expect(inOrder).toEqual(
    inOrder.toSorted(
      (a, b) => a.placedAt.localeCompare(b.placedAt) || (a.orderId < b.orderId ? -1 : 1),
    ),
  );

  const lastId = await storeOrder(one, vendorId);
  const stream = await openVendorStream(one, vendorId, { lastEventId: pages[0]?.asOf ?? "" });
  expect(stream.resume.status).toBe("complete");
  await stream.next(({ id }) => id === lastId);
  const open = new Set(told);
  for (const { event, data } of stream.events) {
    const { orderId, state } = JSON.parse(data);
    if (event === "new-order") open.add(orderId);
    if (event === "order-acknowledged" && state) open.delete(orderId);
  }
  stream.close();
  const now = await allPages(vendorId, "?state=open&limit=500");
  expect([...open].sort()).toEqual(now.flatMap(idsOf).sort());
  expect(placed.every((orderId) => open.has(orderId))).toBe(true);
  expect(answered.some((orderId) => open.has(orderId))).toBe(false);
});

test("S25: all orders come page by page as well, the newest first", async () => {
  const vendorId = newVendor();
  const [one] = notification.replicas;
  const ids = await storeOrders(vendorId, 130);
  await postStatus(one, vendorId, ids[7] as string, "cancelled");
  const pages = await allPages(vendorId, "?state=all&limit=40");
  expect(pages.map(({ orders }) => orders.length)).toEqual([40, 40, 40, 10]);
  const whole = await page(one, vendorId, "?state=all&limit=500");
  expect(pages.flatMap(idsOf)).toEqual(idsOf(whole));
  expect([whole.more, whole.next]).toEqual([false, null]);
  expect(new Set(pages.flatMap(idsOf))).toEqual(new Set(ids));
});

test("S25: a page that ends with the last order is the last one", async () => {
  const vendorId = newVendor();
  await storeOrders(vendorId, 4);
  const pages = await allPages(vendorId, "?limit=2");
  expect(pages.map(({ orders }) => orders.length)).toEqual([2, 2]);
});

test("S25: an after that this platform did not give is a 400", async () => {
  const vendorId = newVendor();
  const [one, two] = notification.replicas;
  await storeOrders(vendorId, 3);
  const { next, asOf } = await page(one, vendorId, "?state=open&limit=1");
  if (next === null) throw new Error("there is no second page");
  for (const after of [
    "",
    "x",
    asOf,
    `${next}x.y`,
    next.slice(1),
    next.replace("open", "all"),
    next.replace(/\.\d+\./, ".99999999999999999."),
    next.replace(/\.\d+\./, ".-8640000000000000."),
    next.replace(/\.\d+\./, ".NaN."),
    next.replace(asOf, "garbage"),
    `${next}\0`,
    next + "a".repeat(200),
  ]) {
    const response = await getOrders(two, vendorId, `?after=${encodeURIComponent(after)}`);
    expect(response.status, after).toBe(400);
    expect(await response.json()).toMatchObject({ code: "invalid-request" });
  }
  // One of the open orders says nothing of the place among all of them.
  const other = await getOrders(two, vendorId, `?state=all&after=${encodeURIComponent(next)}`);
  expect(other.status).toBe(400);
  const same = await page(two, vendorId, `?limit=500&after=${encodeURIComponent(next)}`);
  expect([same.orders.length, same.asOf]).toEqual([2, asOf]);
});

import { orderAcceptedSchema } from "@localstreet/contracts/order";
import { ordersAcceptedSchema } from "@localstreet/contracts/order-answers";
import type { RunningService } from "@localstreet/service-kit/service";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  isOrder,
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  ordersOf,
  postOrder,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification();
});
afterAll(() => notification.stop());

async function postBatch(
  service: RunningService,
  vendorId: string,
  body: unknown,
  role: "service" | "vendor" = "service",
): Promise<Response> {
  const token = await tokenFor({ role, sub: "backend", vendors: [vendorId] });
  return await fetch(`${service.url}/api/vendor/${vendorId}/orders/batch`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function verdictsOf(response: Response) {
  expect(response.status).toBe(200);
  return ordersAcceptedSchema.parse(await response.json()).results;
}

test("S19: a batch has a verdict for each order, and a wrong one does not spoil the others", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const stream = await openVendorStream(two, vendorId);
  const known = newOrder();
  const knownId = await storeOrder(one, vendorId, known);
  const [first, second] = [newOrder(), newOrder()];
  const verdicts = await verdictsOf(
    await postBatch(one, vendorId, {
      orders: [
        first,
        known,
        { ...known, total: 1 },
        { ...second, total: -1 },
        second,
        second,
        { ...second, note: "another" },
        7,
        newOrder({ orderId: "a.b" }),
      ],
    }),
  );
  expect(verdicts.map(({ status }) => status)).toEqual([
    "stored",
    "duplicate",
    "conflict",
    "invalid",
    "stored",
    "duplicate",
    "conflict",
    "invalid",
    "invalid",
  ]);
  expect(verdicts.map(({ orderId }) => orderId)).toEqual([
    first.orderId,
    known.orderId,
    known.orderId,
    second.orderId,
    second.orderId,
    second.orderId,
    second.orderId,
    null,
    "a.b",
  ]);
  expect(verdicts[1]?.id).toBe(knownId);
  expect(verdicts[5]?.id).toBe(verdicts[4]?.id);
  expect(verdicts[3]?.issues).toEqual([{ path: "total", message: expect.any(String) }]);
  // The stream has them under the ids that were answered.
  await stream.next((event) => event.id === verdicts[0]?.id);
  await stream.next((event) => event.id === verdicts[4]?.id);
  expect(ordersOf(stream).sort()).toEqual([known, first, second].map((o) => o.orderId).sort());
  stream.close();
});

test.each([
  ["__proto__", '"__proto__":{"polluted":1}'],
  ["__proto__, escaped", '"\\u005f_proto__":{"polluted":1}'],
  ["__proto__ that is null", '"__proto__":null'],
  ["constructor.prototype", '"constructor":{"prototype":{"polluted":1}}'],
  ["__proto__ in an item", '"items":[{"name":"a","quantity":1,"unitPrice":1,"__proto__":{"a":1}}]'],
  ["a note with NUL", '"note":"\\u0000"'],
  ["a note with half a pair", '"note":"\\ud83e"'],
  ["objects in each other", `"note":${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`],
])("S19 G3: an order with %s is invalid, and the others are stored", async (_name, field) => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const stream = await openVendorStream(two, vendorId);
  const orders = [newOrder(), newOrder(), newOrder()];
  const texts = orders.map((order) => JSON.stringify(order));
  texts[1] = `${texts[1]?.slice(0, -1)},${field}}`;
  const verdicts = await verdictsOf(await postBatch(one, vendorId, `{"orders":[${texts}]}`));
  expect(verdicts.map(({ status }) => status)).toEqual(["stored", "invalid", "stored"]);
  expect(verdicts[1]).toMatchObject({ orderId: orders[1]?.orderId, issues: [expect.anything()] });
  await stream.next((event) => event.id === verdicts[0]?.id || event.id === verdicts[2]?.id);
  await stream.next((event) => event.id === verdicts[0]?.id || event.id === verdicts[2]?.id);
  expect(ordersOf(stream).sort()).toEqual([orders[0]?.orderId, orders[2]?.orderId].sort());
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
  stream.close();
});

test("S19 G3: the envelope of a batch takes no __proto__ either", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const orders = JSON.stringify([newOrder()]);
  for (const body of [
    `{"orders":${orders},"__proto__":{"polluted":1}}`,
    `{"__proto__":{"orders":${orders}}}`,
    `{"orders":${orders},"constructor":{"prototype":{}}}`,
  ]) {
    expect((await postBatch(one, vendorId, body)).status).toBe(400);
  }
});

test("S19 S18: a hundred orders are stored once each when the batch comes twice at once", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const stream = await openVendorStream(one, vendorId);
  const orders = Array.from({ length: 100 }, () => newOrder());
  const answers = await Promise.all(
    [one, two].map(async (replica) => verdictsOf(await postBatch(replica, vendorId, { orders }))),
  );
  for (const [index, { orderId }] of orders.entries()) {
    const verdicts = answers.map((verdicts) => verdicts[index]);
    expect(verdicts.map((verdict) => verdict?.status).sort()).toEqual(["duplicate", "stored"]);
    expect(verdicts.map((verdict) => verdict?.orderId)).toEqual([orderId, orderId]);
    expect(new Set(verdicts.map((verdict) => verdict?.id)).size).toBe(1);
  }
  await until(() => ordersOf(stream).length === 100, { what: "all on the stream" });
  expect(new Set(ordersOf(stream))).toEqual(new Set(orders.map(({ orderId }) => orderId)));
  await until(
    async () => {
      const again = await postBatch(two, vendorId, { orders });
      return ordersAcceptedSchema.parse(await again.json()).devices === 1;
    },
    { what: "the one device is told" },
  );
  stream.close();
});

test("S19 A6: a batch is for services, and holds 1 to 100 orders", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  expect((await postBatch(one, vendorId, { orders: [newOrder()] }, "vendor")).status).toBe(403);
  for (const body of [
    { orders: [] },
    { orders: Array.from({ length: 101 }, () => newOrder()) },
    { orders: newOrder() },
    { orders: [newOrder()], more: 1 },
    [newOrder()],
  ]) {
    expect((await postBatch(one, vendorId, body)).status).toBe(400);
  }
});

test("E6 S19: a batch may have 256 KiB, and an order in it no more than one alone", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const note = "x".repeat(1_000);
  const name = "y".repeat(200);
  const items = Array.from({ length: 40 }, () => ({ name, quantity: 1, unitPrice: 1 }));
  const big = Array.from({ length: 24 }, () => newOrder({ note, items }));
  expect(JSON.stringify(big).length).toBeGreaterThan(16 * 1024 * 10);
  const verdicts = await verdictsOf(await postBatch(one, vendorId, { orders: big }));
  expect(new Set(verdicts.map(({ status }) => status))).toEqual(new Set(["stored"]));

  const tooBig = newOrder({ items: [...items, ...items] });
  const [verdict] = await verdictsOf(await postBatch(one, vendorId, { orders: [tooBig] }));
  expect(verdict).toMatchObject({ status: "invalid", orderId: tooBig.orderId });
  expect((await postOrder(one, vendorId, tooBig)).status).toBe(413);

  const tooMany = await postBatch(one, vendorId, { orders: [...big, ...big] });
  expect(tooMany.status).toBe(413);
});

test("S28: Idempotency-Key is not read: orderId is what makes an order the same", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const token = await tokenFor({ role: "service", sub: "backend" });
  const post = async (order: unknown, key: string) => {
    const response = await fetch(`${one.url}/api/vendor/${vendorId}/orders`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify(order),
    });
    expect(response.status).toBe(202);
    return orderAcceptedSchema.parse(await response.json());
  };
  const [order, other] = [newOrder(), newOrder()];
  const first = await post(order, "key-1");
  expect(await post(order, "key-2")).toMatchObject({ id: first.id, duplicate: true });
  expect(await post(other, "key-1")).toMatchObject({ duplicate: false });
  const stream = await openVendorStream(one, vendorId, { lastEventId: first.id });
  await stream.next(isOrder);
  expect(ordersOf(stream)).toEqual([other.orderId]);
  stream.close();
});

test("S19 S3: while NATS is away a batch is a 503, and may be sent again", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const orders = [newOrder(), newOrder({ total: -1 }), newOrder()];
  await notification.stores.nats.kill();
  const refused = await postBatch(one, vendorId, { orders });
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  // One that is nothing but wrong is told so all the same.
  const wrong = await verdictsOf(await postBatch(one, vendorId, { orders: [orders[1]] }));
  expect(wrong).toMatchObject([{ status: "invalid" }]);
  await notification.stores.nats.start();
  let verdicts: { status: string }[] = [];
  await until(
    async () => {
      const response = await postBatch(two, vendorId, { orders });
      if (response.status === 200) verdicts = await verdictsOf(response);
      return response.status === 200;
    },
    { what: "NATS is back", timeoutMs: 10_000 },
  );
  expect(verdicts.map(({ status }) => status)).toEqual(["stored", "invalid", "stored"]);
});

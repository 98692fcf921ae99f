import { connectBus } from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import { newOrderSchema, orderAcceptedSchema } from "@localstreet/contracts/order";
import { tokenFor } from "@localstreet/testkit/tokens";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

describe("S1: posting an order", () => {
  test("S1 S5 G4: an order reaches every stream of its vendor on both replicas, with its id", async () => {
    const [one, two] = notification.replicas;
    const vendorId = newVendor();
    const streams = await Promise.all([one, two, two].map((r) => openVendorStream(r, vendorId)));
    const foreign = await openVendorStream(two, newVendor());
    const order = newOrder({ note: "ring twice" });
    const response = await postOrder(one, vendorId, order);
    expect(response.status).toBe(202);
    expect(response.headers.get("localstreet-replica")).toBe("notification-sse-1");
    const { id, duplicate } = orderAcceptedSchema.parse(await response.json());
    expect(duplicate).toBe(false);
    for (const stream of streams) {
      const event = await stream.next(isOrder);
      expect(event.id).toBe(id);
      expect(newOrderSchema.parse(JSON.parse(event.data))).toMatchObject({ ...order, vendorId });
    }
    expect(streams[1]?.response.headers.get("localstreet-replica")).toBe("notification-sse-2");
    expect(ordersOf(foreign)).toEqual([]);
    for (const stream of [...streams, foreign]) stream.close();
  });

  test("S1 G5: publishVendorEvent of another process has the same effect", async () => {
    const bus = await connectBus({ ...notification.stores.nats.as("publisher"), name: "backend" });
    const vendorId = vendorIdSchema.parse(newVendor());
    const stream = await openVendorStream(notification.replicas[1], vendorId);
    const order = newOrder();
    const published = await publishVendorEvent(bus, {
      vendorId,
      kind: "new-order",
      data: newOrderSchema.parse({ ...order, vendorId, placedAt: new Date().toISOString() }),
    });
    expect((await stream.next(isOrder)).id).toBe(published.id);
    // The same order over HTTP is the same event.
    const again = await postOrder(notification.replicas[0], vendorId, order);
    expect(await again.json()).toMatchObject({ id: published.id, duplicate: true });
    stream.close();
    await bus.close();
  });

  test("S2: the same order again is the same event, and another body under its id a conflict", async () => {
    const [one, two] = notification.replicas;
    const vendorId = newVendor();
    const order = newOrder();
    const id = await storeOrder(one, vendorId, order);
    const again = await postOrder(two, vendorId, order);
    expect(again.status).toBe(202);
    expect(await again.json()).toMatchObject({ id, duplicate: true });
    const other = await postOrder(two, vendorId, { ...order, total: 1 });
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({ code: "conflict" });
    const stream = await openVendorStream(one, vendorId, { lastEventId: "x" });
    expect(stream.resume.status).toBe("reset");
    stream.close();
  });

  test("S2: the same order id of another vendor is another order", async () => {
    const [one, two] = notification.replicas;
    const [a, b] = [newVendor(), newVendor()];
    const order = newOrder();
    const streams = await Promise.all([openVendorStream(one, a), openVendorStream(one, b)]);
    const ids = [await storeOrder(one, a, order), await storeOrder(two, b, order)];
    expect(new Set(ids).size).toBe(2);
    for (const [index, stream] of streams.entries()) {
      expect((await stream.next(isOrder)).id).toBe(ids[index]);
      stream.close();
    }
  });

  test("A6: who may post is a service, with a token", async () => {
    const [one] = notification.replicas;
    const vendor = await tokenFor({ role: "vendor", sub: "sam", vendors: ["vendor-1"] });
    expect((await postOrder(one, "vendor-1", newOrder(), vendor)).status).toBe(403);
    expect((await postOrder(one, "vendor-1", newOrder(), "x.y.z")).status).toBe(401);
  });

  test("G1: a vendor id that is none is a 400", async () => {
    const ids = ["*", ">", "a.b", "a".repeat(65), "a".repeat(5_000), "\0", "é", ":", "a\r\nb", " "];
    for (const vendorId of ids) {
      const response = await postOrder(notification.replicas[0], vendorId);
      expect([vendorId, response.status]).toEqual([vendorId, 400]);
      expect(await response.json()).toMatchObject({ code: "invalid-request" });
    }
  });

  test.each([
    ["G1: an order id that is none", { orderId: "a.b" }],
    ["G2: money that is no integer", { total: 70.5 }],
    ["G2: a currency that is none", { currency: "kr" }],
    ["G3: an unknown field", { placedAt: "2026-01-01T00:00:00.000Z" }],
    ["no items", { items: [] }],
  ])("G3: %s is a 400 and stores nothing", async (_name, changes) => {
    const [one] = notification.replicas;
    const vendorId = newVendor();
    const stream = await openVendorStream(one, vendorId);
    expect((await postOrder(one, vendorId, newOrder(changes))).status).toBe(400);
    const right = newOrder();
    await storeOrder(one, vendorId, right);
    await stream.next(isOrder);
    expect(ordersOf(stream)).toEqual([right.orderId]);
    stream.close();
  });
});

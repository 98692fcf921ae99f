import { once } from "node:events";
import { connect } from "node:net";
import { connectBus } from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { ensureStreams } from "@localstreet/bus/streams";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import { newOrderSchema } from "@localstreet/contracts/order";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  ordersOf,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification();
});
afterAll(() => notification.stop());

/** Stores many orders, `<name>-0` first, as a backend that publishes straight to the bus. */
async function storeMany(
  vendorId: string,
  name: string,
  count: number,
  changes: Record<string, unknown> = {},
): Promise<void> {
  const bus = await connectBus({ ...notification.stores.nats.as("publisher"), name: "backend" });
  for (let first = 0; first < count; first += 500) {
    const batch = Array.from({ length: Math.min(500, count - first) }, (_, n) => {
      const order = newOrder({ orderId: `${name}-${first + n}`, ...changes });
      return publishVendorEvent(bus, {
        vendorId: vendorIdSchema.parse(vendorId),
        kind: "new-order",
        data: newOrderSchema.parse({ ...order, vendorId, placedAt: new Date().toISOString() }),
      });
    });
    await Promise.all(batch);
  }
  await bus.close();
}

const named = (name: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${name}-${n}`);

test("S16 S6: a client 5,000 events behind gets all of them and then the live ones, though NATS restarts meanwhile", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const { resume, close } = await openVendorStream(one, vendorId);
  close();
  await storeMany(vendorId, "far", 5_000, { note: "x".repeat(900) });
  // One that has not seen them, so that they come from the log.
  const replica = await notification.startReplica();
  const { hostname, port } = new URL(replica.url);
  const client = connect(Number(port), hostname);
  const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
  client.write(
    `GET /api/vendor/${vendorId}/notifications/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nLast-Event-ID: ${resume.to}\r\n\r\n`,
  );
  let text = "";
  client.setEncoding("utf8");
  client.on("data", (chunk: string) => {
    text += chunk;
  });
  await until(() => text.includes('"far-300"'), { what: "the beginning" });
  // The socket is full, and the replay waits for it.
  client.pause();
  await notification.stores.nats.kill();
  await notification.stores.nats.start();
  client.resume();
  const orderIds = () => [...text.matchAll(/"orderId":"([^"]+)"/g)].map((match) => match[1]);
  await until(() => text.includes('"far-4999"'), { what: "the end", timeoutMs: 15_000 });
  await until(
    async () => {
      const stored = await storeOrder(one, vendorId, newOrder({ orderId: "live" })).catch(() => "");
      return stored !== "";
    },
    { what: "a live order", timeoutMs: 10_000 },
  );
  await until(() => text.includes('"live"'), { what: "the live order", timeoutMs: 12_000 });
  expect(orderIds()).toEqual([...named("far", 5_000), "live"]);
  expect(text).toContain('"status":"complete"');
  expect(text).toContain('"replayed":null');
  client.destroy();
  await until(
    async () => {
      const metrics = await (await fetch(`${replica.adminUrl}/metrics`)).text();
      return /^localstreet_streams_open(\{.*\})? 0$/m.test(metrics);
    },
    { what: "the stream is closed" },
  );
});

test("S16: when what is being replayed expires in front of it, the stream ends, and the next verdict is gap", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const { resume, close } = await openVendorStream(one, vendorId);
  close();
  // More than the kernel's buffers of a stalled socket take.
  const items = Array(50).fill({ name: "x".repeat(200), quantity: 1, unitPrice: 1 });
  await storeMany(vendorId, "old", 2_500, { items });
  const replica = await notification.startReplica();
  const { hostname, port } = new URL(replica.url);
  const client = connect(Number(port), hostname);
  const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
  client.write(
    `GET /api/vendor/${vendorId}/notifications/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nLast-Event-ID: ${resume.to}\r\n\r\n`,
  );
  let text = "";
  client.setEncoding("utf8");
  client.on("data", (chunk: string) => {
    text += chunk;
  });
  await until(() => text.includes('"old-300"'), { what: "the beginning" });
  client.pause();
  await ensureStreams(notification.bus, { vendorMaxAgeSeconds: 1, duplicateWindowSeconds: 1 });
  await until(
    async () => {
      // The expiry may come upon this one too.
      const other = await openVendorStream(one, vendorId, { lastEventId: resume.to }).catch(
        () => null,
      );
      other?.close();
      return other?.resume.status === "gap";
    },
    { what: "the expiry", timeoutMs: 10_000 },
  );
  client.resume();
  await once(client, "close");
  expect(text).toContain("event: error");
  expect(text.slice(text.lastIndexOf("event: error"))).toContain('"retryable":true');
  const ids = [...text.matchAll(/^id: (\S+)\nevent: new-order$/gm)].map((match) => match[1]);
  expect(ids.length).toBeLessThan(2_500);
  const orderIds = [...text.matchAll(/"orderId":"([^"]+)"/g)].map((match) => match[1]);
  expect(orderIds).toEqual(named("old", orderIds.length));
  const again = await openVendorStream(replica, vendorId, { lastEventId: ids.at(-1) as string });
  expect(again.resume.status).toBe("gap");
  again.close();
}, 60_000);

test("S16: who comes back soon gets the same from memory as from the log, while orders come in", async () => {
  const [one, two] = notification.replicas;
  await ensureStreams(notification.bus);
  const vendorId = newVendor();
  const watching = await openVendorStream(two, vendorId);
  await storeMany(vendorId, "recent", 400);
  await until(() => ordersOf(watching).length === 400, { what: "the live orders" });
  const events = watching.events.filter(({ event }) => event === "new-order");
  const from = events[49]?.id as string;
  const streams = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      openVendorStream(n % 4 === 0 ? one : two, vendorId, { lastEventId: from }),
    ),
  );
  for (const [n, stream] of streams.entries()) {
    // All that is in memory is counted.
    expect(stream.resume).toMatchObject({ status: "complete", replayed: n % 4 === 0 ? null : 350 });
  }
  await storeMany(vendorId, "then", 30);
  await until(() => ordersOf(watching).length === 430, { what: "the later orders" });
  const expected = watching.events.filter(({ event }) => event === "new-order").slice(50);
  for (const stream of streams) {
    await until(() => ordersOf(stream).length >= expected.length, { what: "all of them" });
    expect(stream.events.filter(({ event }) => event === "new-order")).toEqual(expected);
    stream.close();
  }
  watching.close();
});

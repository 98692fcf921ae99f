import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { EventSource } from "eventsource";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
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

/** Sends the order until it is acknowledged, as a backend does. */
async function placeOrder(vendorId: string, orderId: string): Promise<void> {
  await until(
    async () => {
      const [one, two] = notification.replicas;
      const order = newOrder({ orderId });
      const response = await postOrder(Math.random() < 0.5 ? one : two, vendorId, order).catch(
        () => null,
      );
      if (response?.status === 503) {
        // S3: refused, with the time to come back.
        expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      }
      return response?.status === 202;
    },
    { timeoutMs: 20_000, what: `order ${orderId} is acknowledged` },
  );
}

test("S11 S3: after a kill of NATS and silence, every acknowledged order is on its open stream", async () => {
  const vendors = Array.from({ length: 20 }, newVendor);
  const streams = await Promise.all(
    vendors.map((vendorId, index) =>
      openVendorStream(notification.replicas[index % 2 === 0 ? 0 : 1], vendorId),
    ),
  );
  const placed = new Map(vendors.map((vendorId) => [vendorId, [] as string[]]));
  let isOver = false;
  const placing = vendors.map(async (vendorId) => {
    for (let number = 1; !isOver; number += 1) {
      const orderId = `${vendorId}-${number}`;
      await placeOrder(vendorId, orderId);
      placed.get(vendorId)?.push(orderId);
    }
  });
  const acknowledged = () => [...placed.values()].reduce((sum, ids) => sum + ids.length, 0);
  await until(() => acknowledged() > 100, { what: "100 orders" });
  await notification.stores.nats.kill();
  await notification.stores.nats.start();
  const before = acknowledged();
  await until(() => acknowledged() > before + 100, { what: "100 more", timeoutMs: 20_000 });
  isOver = true;
  await Promise.all(placing);

  for (const [index, stream] of streams.entries()) {
    const orderIds = placed.get(vendors[index] as string) ?? [];
    await until(() => ordersOf(stream).length >= orderIds.length, {
      timeoutMs: 12_000,
      what: `all orders of ${vendors[index]}`,
    });
    expect(ordersOf(stream)).toEqual(orderIds);
    stream.close();
  }
});

test("S3 E7: while NATS is away an order is a 503 with Retry-After, and the replica stays ready", async () => {
  const [one] = notification.replicas;
  await notification.stores.nats.kill();
  const response = await postOrder(one, newVendor());
  expect(response.status).toBe(503);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await response.json()).toMatchObject({ code: "unavailable" });
  expect((await fetch(`${one.adminUrl}/readyz`)).status).toBe(200);
  await notification.stores.nats.start();
  for (const replica of notification.replicas) {
    await until(async () => (await postOrder(replica, newVendor())).status === 202, {
      timeoutMs: 10_000,
      what: `${replica.replica} is back on the bus`,
    });
  }
});

test("S5: streams that reconnect at random during a burst bring each order once, in order", async () => {
  const vendorId = newVendor();
  const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
  const { resume, close } = await openVendorStream(notification.replicas[0], vendorId);
  close();
  const total = 300;
  const posting = (async () => {
    for (let number = 1; number <= total; number += 1) {
      await storeOrder(
        notification.replicas[number % 2 === 0 ? 0 : 1],
        vendorId,
        newOrder({ orderId: `burst-${number}` }),
      );
    }
  })();
  const expected = Array.from({ length: total }, (_, index) => `burst-${index + 1}`);
  const clients = Array.from({ length: 10 }, async () => {
    const got: string[] = [];
    let lastEventId = resume.to;
    while (got.length < total) {
      const replica = notification.replicas[Math.random() < 0.5 ? 0 : 1];
      const stream = await openVendorStream(replica, vendorId, { lastEventId, token });
      expect(stream.resume.status).toBe("complete");
      const wanted = Math.min(total - got.length, 1 + Math.floor(Math.random() * 40));
      await until(() => ordersOf(stream).length >= wanted, { what: "more", timeoutMs: 15_000 });
      got.push(...ordersOf(stream));
      lastEventId = stream.events.at(-1)?.id ?? lastEventId;
      stream.close();
    }
    expect(got).toEqual(expected);
  });
  await Promise.all([posting, ...clients]);
});

test("S5 S10: the eventsource package resumes by itself when its replica goes", async () => {
  const vendorId = newVendor();
  const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
  const replica = await notification.startReplica({ RETRY_MIN_MS: "20", RETRY_MAX_MS: "50" });
  // As a gateway does, the fetch goes to whichever replica is there.
  let address = replica.url;
  const source = new EventSource("http://gateway.invalid/stream", {
    fetch: (_url, init) =>
      fetch(`${address}/api/vendor/${vendorId}/notifications/stream`, {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${token}` },
      }),
  });
  const got: string[] = [];
  const verdicts: string[] = [];
  source.addEventListener("new-order", ({ data }) => got.push(JSON.parse(data).orderId));
  source.addEventListener("resume", ({ data }) => verdicts.push(JSON.parse(data).status));
  await until(() => verdicts.length === 1, { what: "the first resume" });
  await storeOrder(replica, vendorId, newOrder({ orderId: "e-1" }));
  await until(() => got.length === 1, { what: "the first order" });
  address = notification.replicas[0].url;
  await replica.drain(10);
  await storeOrder(notification.replicas[1], vendorId, newOrder({ orderId: "e-2" }));
  await until(() => got.length === 2, { what: "the second order" });
  expect(got).toEqual(["e-1", "e-2"]);
  expect(verdicts).toEqual(["fresh", "complete"]);
  source.close();
});

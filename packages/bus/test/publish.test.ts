import { BusUnavailableError } from "@localstreet/bus/connection";
import { eventId } from "@localstreet/bus/log-position";
import {
  publishVendorEvent,
  publishVendorEventIfLast,
} from "@localstreet/bus/publish-vendor-event";
import { openSubjectLog } from "@localstreet/bus/subject-log";
import { Problem } from "@localstreet/contracts/problem";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { order, publishOrder, startMarketplace, vendor } from "./marketplace.ts";

let market: Awaited<ReturnType<typeof startMarketplace>>;
beforeAll(async () => {
  market = await startMarketplace();
});
afterAll(() => market[Symbol.asyncDispose]());

test("S1 S2: a backend publishes straight to the bus; the same order again is the same event", async () => {
  const bus = await market.connect("publisher");
  const first = await publishOrder(bus, "bakery", "order-1");
  expect(first.status).toBe("stored");
  const again = await publishOrder(bus, "bakery", "order-1", {
    placedAt: new Date(Date.now() + 60_000).toISOString(),
  });
  expect(again).toEqual({ ...first, status: "duplicate" });

  const log = await openSubjectLog(await market.connect("notification-sse"), "VENDOR");
  const stored = await log.head("vendor.bakery.orders");
  expect(stored?.sequence).toBe(first.sequence);
  const { epoch } = await log.bounds();
  expect(stored && eventId(epoch, stored)).toBe(first.id);
});

test("S2: another body under the same order id is a conflict, and what is stored stays", async () => {
  const bus = await market.connect("publisher");
  const first = await publishOrder(bus, "bakery", "order-2", { total: 100 });
  const other = await publishOrder(bus, "bakery", "order-2", { total: 200 });
  expect(other).toMatchObject({ ...first, status: "conflict" });

  const log = await openSubjectLog(await market.connect("notification-sse"), "VENDOR");
  const stored = await log.eventAt(first.sequence);
  expect(JSON.parse(new TextDecoder().decode(stored?.data)).total).toBe(100);
});

test("S2: the same order id of another vendor is another order", async () => {
  const bus = await market.connect("publisher");
  const one = await publishOrder(bus, "bakery", "order-3");
  const two = await publishOrder(bus, "florist", "order-3");
  expect(two.status).toBe("stored");
  expect(two.sequence).toBeGreaterThan(one.sequence);
});

test("G1 S1: an event that does not match its schema is refused before the bus is asked", async () => {
  const bus = await market.connect("publisher");
  await expect(publishOrder(bus, "bakery", "order-4", { total: -1 })).rejects.toBeInstanceOf(
    Problem,
  );
  await expect(
    publishOrder(bus, "bakery", "order-4", { vendorId: vendor("florist") }),
  ).rejects.toMatchObject({ code: "invalid-request" });
  await expect(
    publishVendorEvent(bus, {
      vendorId: "*" as never,
      kind: "new-order",
      data: order("bakery", "order-4"),
    }),
  ).rejects.toBeInstanceOf(TypeError);
});

test("S3: while NATS is away a publish fails at once, leaves nothing behind, and may be sent again", async () => {
  await using own = await startMarketplace();
  const bus = await own.connect("publisher");
  await publishOrder(bus, "bakery", "order-1");
  await own.nats.kill();
  await until(() => !bus.isConnected(), { what: "the loss is noticed" });

  const startedMs = performance.now();
  const refused = await Promise.allSettled(
    Array.from({ length: 100 }, (_, n) => publishOrder(bus, "bakery", `refused-${n}`)),
  );
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  for (const result of refused) {
    expect(result.status === "rejected" && result.reason).toBeInstanceOf(BusUnavailableError);
  }

  await own.nats.start();
  await until(() => bus.isConnected(), { what: "the reconnect", timeoutMs: 10_000 });
  // Nothing was kept for later: only what is published now is stored.
  const next = await publishOrder(bus, "bakery", "refused-0");
  expect(next).toMatchObject({ status: "stored", sequence: 2 });
});

test("S2 S3: a publish whose acknowledgement was lost is safe to repeat", async () => {
  await using own = await startMarketplace();
  const bus = await own.connect("publisher", { requestTimeoutMs: 300 });
  own.nats.freeze();
  await expect(publishOrder(bus, "bakery", "order-1")).rejects.toBeInstanceOf(BusUnavailableError);
  own.nats.thaw();
  let outcome = await publishOrder(bus, "bakery", "order-1");
  expect(["stored", "duplicate"]).toContain(outcome.status);
  outcome = await publishOrder(bus, "bakery", "order-1");
  expect(outcome).toMatchObject({ status: "duplicate", sequence: 1 });
});

test("S3: a full log refuses new orders and keeps the old ones", async () => {
  await using own = await startMarketplace({ vendorMaxBytes: 64 * 1024 });
  const bus = await own.connect("publisher");
  let stored = 0;
  await expect(
    (async () => {
      while (stored < 1_000) {
        await publishOrder(bus, "bakery", `order-${stored}`, { note: "x".repeat(500) });
        stored++;
      }
    })(),
  ).rejects.toBeInstanceOf(BusUnavailableError);
  const log = await openSubjectLog(await own.connect("notification-sse"), "VENDOR");
  expect(await log.bounds()).toMatchObject({ firstSequence: 1, lastSequence: stored });
});

test("S33: an event that depends on the vendor's newest one is stored behind that one only", async () => {
  const bus = await market.connect("publisher");
  const { sequence } = await publishOrder(bus, "dairy", "o-1");
  await publishOrder(bus, "cobbler", "o-1");
  const about = { orderId: order("dairy", "o-1").orderId, vendorId: vendor("dairy") };
  const at = new Date().toISOString();
  const expiry = {
    ...{ vendorId: about.vendorId, kind: "order-expired" as const },
    data: { ...about, at, placedAt: at },
  };
  const told = await publishVendorEvent(bus, {
    ...{ vendorId: about.vendorId, kind: "order-updated" },
    data: { ...about, at, status: "preparing" },
  });
  expect(await publishVendorEventIfLast(bus, expiry, sequence)).toBeNull();
  const stored = await publishVendorEventIfLast(bus, expiry, told.sequence);
  expect(stored).toMatchObject({ status: "stored", sequence: told.sequence + 1 });
  expect(await publishVendorEventIfLast(bus, expiry, told.sequence + 1)).toMatchObject({
    ...{ status: "duplicate", sequence: told.sequence + 1 },
  });
});

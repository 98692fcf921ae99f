import { BusUnavailableError, connectBus } from "@localstreet/bus/connection";
import { startTestStores } from "@localstreet/testkit/stores";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { publishOrder, startMarketplace } from "./marketplace.ts";
import { startRelay } from "./relay.ts";

test("E7: signals are dropped and counted while NATS is away, never buffered", async () => {
  await using market = await startMarketplace();
  const sender = await market.connect("tracking-ingest");
  const receiver = await market.connect("tracking-fanout");
  const received: string[] = [];
  receiver.subscribe("live.tracking.d1", ({ data }) => received.push(Buffer.from(data).toString()));
  await receiver.flush();
  expect(sender.publishSignal("live.tracking.d1", "before")).toBe("sent");
  await until(() => received.length === 1, { what: "the first signal" });

  await market.nats.kill();
  await until(() => !sender.isConnected() && !receiver.isConnected(), { what: "the loss" });
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 100_000; n++) {
    expect(sender.publishSignal("live.tracking.d1", "away")).toBe("dropped");
  }
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024);
  expect(sender.stats()).toMatchObject({ signalsDroppedOffline: 100_000, pendingBytes: 0 });

  await market.nats.start();
  await until(() => sender.isConnected() && receiver.isConnected(), {
    what: "the reconnects",
    timeoutMs: 10_000,
  });
  await receiver.flush();
  sender.publishSignal("live.tracking.d1", "after");
  await until(() => received.includes("after"), { what: "the signal after the reconnect" });
  expect(received).toEqual(["before", "after"]);
});

test("E7: a server that takes nothing stops signals at the limit of pending bytes, and is given up in about 10 s", async () => {
  await using market = await startMarketplace();
  const maxPendingBytes = 16 * 1024 * 1024;
  const bus = await market.connect("tracking-ingest", { maxPendingBytes });
  const payload = Buffer.alloc(16 * 1024);
  market.nats.freeze();
  const frozenAtMs = performance.now();
  let sent = 0;
  while (bus.publishSignal("live.tracking.d1", payload) === "sent") sent++;
  expect(sent * payload.length).toBeLessThanOrEqual(maxPendingBytes);
  expect(bus.stats().pendingBytes).toBeGreaterThan(maxPendingBytes - 2 * payload.length);
  expect(bus.stats().signalsDroppedPending).toBe(1);

  await until(() => !bus.isConnected(), {
    what: "the frozen server is given up",
    timeoutMs: 12_000,
  });
  expect(performance.now() - frozenAtMs).toBeGreaterThan(5_000);
  market.nats.thaw();
  await until(() => bus.isConnected(), { what: "the reconnect", timeoutMs: 10_000 });
  await bus.flush();
  expect(bus.stats().pendingBytes).toBe(0);
  expect(bus.publishSignal("live.tracking.d1", payload)).toBe("sent");
});

test("E7: a dead network path with a full socket is left for a new connection", async () => {
  await using market = await startMarketplace();
  await using relay = await startRelay(market.nats.port);
  const bus = await market.connect("tracking-ingest", {
    servers: [relay.url],
    maxPendingBytes: 32 * 1024 * 1024,
    pingIntervalMs: 500,
  });
  relay.stall();
  while (bus.publishSignal("live.tracking.d1", Buffer.alloc(64 * 1024)) === "sent");
  await until(() => bus.stats().reconnects === 1, { what: "a reconnect" });
  await bus.flush();
});

test("E7: signals flow again once a slow server has caught up", async () => {
  await using market = await startMarketplace();
  const bus = await market.connect("tracking-ingest", { maxPendingBytes: 256 * 1024 });
  const payload = Buffer.alloc(8 * 1024);
  while (bus.publishSignal("live.tracking.d1", payload) === "sent");
  await until(() => bus.publishSignal("live.tracking.d1", payload) === "sent", {
    what: "room for another signal",
  });
});

test("E7: what was asked when the connection goes fails at once, not after its timeout", async () => {
  await using market = await startMarketplace();
  const bus = await market.connect("publisher", { requestTimeoutMs: 60_000 });
  market.nats.freeze();
  const pending = publishOrder(bus, "bakery", "order-1");
  const flushed = bus.flush();
  const results = Promise.allSettled([pending, flushed]);
  await market.nats.kill();
  for (const result of await results) {
    expect(result.status === "rejected" && result.reason).toBeInstanceOf(BusUnavailableError);
  }
});

test("E7 S3: more publishes than allowed at the same time fail at once", async () => {
  await using market = await startMarketplace();
  const bus = await market.connect("publisher", { maxPublishesInFlight: 5 });
  market.nats.freeze();
  const results = Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => publishOrder(bus, "bakery", `order-${n}`)),
  );
  await until(() => bus.stats().publishesInFlight === 5, { what: "five publishes in flight" });
  market.nats.thaw();
  const stored = (await results).filter((result) => result.status === "fulfilled");
  expect(stored.length).toBe(5);
});

test("E7: a service that starts before NATS waits for it, and says why", async () => {
  await using stores = await startTestStores({ nats: true });
  await stores.nats.kill();
  const warnings: string[] = [];
  const connecting = connectBus({
    ...stores.nats.as("chat-ws"),
    name: "early",
    logger: { info() {}, warn: (_fields, message) => warnings.push(message), error() {} },
  });
  await until(() => warnings.length > 0, { what: "a warning" });
  await stores.nats.start();
  const bus = await connecting;
  expect(bus.isConnected()).toBe(true);
  await bus.close();
});

test("E7: a listener that throws ends neither the subscription nor the connection", async () => {
  await using market = await startMarketplace();
  const bus = await market.connect("chat-ws");
  const received: string[] = [];
  bus.subscribe("live.chat.buyer.*", ({ data }) => {
    received.push(Buffer.from(data).toString());
    throw new Error("a bug");
  });
  await bus.flush();
  for (const text of ["one", "two", "three"]) bus.publishSignal("live.chat.buyer.b1", text);
  await until(() => received.length === 3, { what: "all three" });
  expect(bus.isConnected()).toBe(true);
});

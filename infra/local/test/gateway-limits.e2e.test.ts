import { openEventStream } from "@localstreet/testkit/sse-client";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Platform } from "../src/platform.ts";
import { createMarketplace, startTestPlatform } from "./marketplace.ts";

let platform: Platform;
let market: ReturnType<typeof createMarketplace>;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ platform, stop } = await startTestPlatform({
    replicas: { "chat-ws": 1, "tracking-ingest": 1, "tracking-fanout": 1 },
    // The address is at its default, as in an empty environment; the person is not what is limited here.
    env: { GATEWAY_CONNECTIONS_PER_ADDRESS: undefined, CONNECTIONS_PER_USER: "1000" },
  }));
  market = createMarketplace(platform);
});

afterAll(async () => {
  await stop?.();
});

test("E8 E5: the 101st connection of one address is refused: 429, and on a stream an event", async () => {
  const streams = await Promise.all(
    Array.from({ length: 100 }, () => market.openVendorStream("vendor-1")),
  );
  const refused = await market.postOrder("vendor-1", "order-1");
  expect(refused.status).toBe(429);
  expect(await refused.json()).toMatchObject({ code: "too-many-connections", status: 429 });
  const stream = await openEventStream(`${platform.url}/api/vendor/vendor-1/notifications/stream`, {
    token: await market.vendorToken("vendor-1"),
  });
  await stream.ended;
  expect(stream.response.status).toBe(200);
  expect(JSON.parse(stream.events[0]?.data as string)).toMatchObject({
    code: "too-many-connections",
    retryable: true,
  });
  for (const open of streams) open.close();
  await until(async () => (await market.postOrder("vendor-1", "order-1")).status === 202, {
    what: "closed connections are free again",
  });
});

test("E1 E5: without a living replica a request is a 502, and a stream is told when to come back", async () => {
  for (const name of ["notification-sse-1", "notification-sse-2"]) {
    platform.hold(name);
    await platform.replica(name).kill("SIGKILL");
  }
  const refused = await market.postOrder("vendor-1", "order-2");
  expect(refused.status).toBe(502);
  expect(refused.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  const stream = await openEventStream(`${platform.url}/api/vendor/vendor-1/notifications/stream`, {
    token: await market.vendorToken("vendor-1"),
  });
  await stream.ended;
  expect(stream.response.status).toBe(200);
  expect(stream.retries[0]).toBeGreaterThan(0);
  expect(JSON.parse(stream.events[0]?.data as string).code).toBe("bad-gateway");

  for (const name of ["notification-sse-1", "notification-sse-2"]) platform.release(name);
  await until(async () => (await market.postOrder("vendor-1", "order-2")).status === 202, {
    what: "the service answers again",
    timeoutMs: 20_000,
  });
});

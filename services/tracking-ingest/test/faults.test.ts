import { type Bus, connectBus } from "@localstreet/bus/connection";
import { ensureStreams } from "@localstreet/bus/streams";
import { personIdSchema } from "@localstreet/contracts/ids";
import { positionKey, watchedKey } from "@localstreet/contracts/keys";
import { liveTrackingSubject } from "@localstreet/contracts/subjects";
import type { RunningService } from "@localstreet/service-kit/service";
import { startTestStores } from "@localstreet/testkit/stores";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stores, startIngest } from "./start-ingest.ts";

const driverId = personIdSchema.parse("driver-1");
const stranger = personIdSchema.parse("driver-2");
let stores: Stores;
let service: RunningService;
let bus: Bus;
let token: string;

beforeAll(async () => {
  stores = await startTestStores({ nats: true, redis: true });
  bus = await connectBus({ ...stores.nats.as("admin"), name: "test" });
  await ensureStreams(bus);
  service = await startIngest(stores, "tracking-ingest-1", { REDIS_TIMEOUT_MS: "300" });
  token = await tokenFor({ role: "driver", sub: driverId });
});

afterAll(async () => {
  await Promise.all([service?.stop(), bus?.close()]);
  await stores?.stop();
});

async function post(lat: number): Promise<{ status: number; retryAfter: string | null }> {
  const response = await fetch(`${service.url}/api/driver/${driverId}/location`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ lat, lng: 0 }),
    signal: AbortSignal.timeout(2_000),
  });
  return { status: response.status, retryAfter: response.headers.get("retry-after") };
}

async function storedLat(): Promise<number> {
  const redis = new Redis(stores.redis.url("admin"));
  const encoded = await redis.hget(positionKey(driverId), "position");
  redis.disconnect();
  return JSON.parse(encoded ?? "{}").lat;
}

const isReady = async () => (await fetch(`${service.adminUrl}/readyz`)).status;
const metric = async (line: string) =>
  (await (await fetch(`${service.adminUrl}/metrics`)).text())
    .split("\n")
    .find((text) => text.startsWith(line));

test("E7 G5: with Redis down a fix is a 503, and accepted again when it is back", async () => {
  expect((await post(1)).status).toBe(204);
  await stores.redis.kill();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect(await post(2)).toEqual({ status: 503, retryAfter: "1" });
  }
  expect(await isReady()).toBe(200);
  expect(await metric("localstreet_redis_connected")).toMatch(/ 0$/);
  await stores.redis.start();
  await until(async () => (await post(3)).status === 204, { what: "a fix is accepted" });
  expect(await storedLat()).toBe(3);
});

test("E7: a Redis that hangs gives a 503 in bounded time, and so does the one after it", async () => {
  stores.redis.freeze();
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const startMs = performance.now();
    expect(await post(4)).toEqual({ status: 503, retryAfter: "1" });
    expect(performance.now() - startMs).toBeLessThan(1_000);
  }
  stores.redis.thaw();
  await until(async () => (await post(5)).status === 204, { what: "a fix is accepted" });
  expect(await storedLat()).toBe(5);
});

test("T1 E7: without the bus a fix is still a 204, and its signal is dropped and counted", async () => {
  await stores.nats.kill();
  await until(() => !bus.isConnected(), { what: "the bus is gone" });
  await until(
    async () => {
      expect((await post(6)).status).toBe(204);
      return (await metric('localstreet_position_signals_total{outcome="dropped"')) !== undefined;
    },
    { what: "a signal is dropped" },
  );
  expect(await storedLat()).toBe(6);
  expect(await isReady()).toBe(200);

  await stores.nats.start();
  await until(() => bus.isConnected(), { what: "the bus is back", timeoutMs: 10_000 });
  let heard = 0;
  bus.subscribe(liveTrackingSubject(driverId), () => {
    heard += 1;
  });
  await bus.flush();
  await until(
    async () => {
      await post(7);
      return heard > 0;
    },
    { what: "signals again", timeoutMs: 10_000 },
  );
});

test("O4: Redis refuses this service everything but its own script's work", async () => {
  const redis = new Redis(stores.redis.url("tracking-ingest"), { disableClientInfo: true });
  const refused = async (command: Promise<unknown>) =>
    await expect(command).rejects.toThrow(/NOPERM|can't (access|run)/);
  await refused(redis.set(watchedKey(stranger), "1"));
  await refused(redis.del(watchedKey(stranger)));
  await refused(redis.get(watchedKey(stranger)));
  await refused(redis.eval('return redis.call("SET", KEYS[1], "1")', 1, watchedKey(stranger)));
  await refused(redis.eval('return redis.call("HSET", "other", "a", "b")', 0));
  await refused(redis.hset("other", "a", "b"));
  await refused(redis.hgetall(positionKey(stranger)));
  await refused(redis.keys("*"));
  await refused(redis.flushall());
  await refused(redis.config("GET", "*"));
  await refused(redis.publish("channel", "x"));
  expect(await redis.hget(positionKey(stranger), "position")).toBeNull();
  redis.disconnect();
});

test("O4: NATS refuses this service to listen to drivers and to publish anything else", async () => {
  const own = await connectBus({ ...stores.nats.as("tracking-ingest"), name: "own" });
  let heard = 0;
  const listen = () => {
    heard += 1;
  };
  own.subscribe(liveTrackingSubject(stranger), listen);
  own.subscribe("vendor.*.orders", listen);
  let admin = 0;
  bus.subscribe("live.chat.>", () => {
    admin += 1;
  });
  bus.subscribe(liveTrackingSubject(stranger), () => {
    admin += 100;
  });
  await Promise.all([own.flush(), bus.flush()]);
  own.publishSignal("live.chat.buyer.bob", "{}");
  own.publishSignal(liveTrackingSubject(stranger), "{}");
  await own.flush();
  await until(() => admin === 100, { what: "only the position arrives" });
  await own.flush();
  expect(heard).toBe(0);
  await own.close();
});

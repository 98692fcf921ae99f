import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PersonId, personIdSchema } from "@localstreet/contracts/ids";
import { rateKey } from "@localstreet/contracts/keys";
import { createPasswords } from "@localstreet/stores/credentials";
import { type RedisServer, startRedis } from "@localstreet/stores/redis-server";
import { Redis } from "ioredis";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createLogger } from "../src/logger.ts";
import type { Rate } from "../src/rate-limit.ts";
import { openSharedRates, type SharedRate } from "../src/shared-rate.ts";

let folder: string;
let server: RedisServer;
let admin: Redis;
const connections: Redis[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "localstreet-rates-"));
  server = await startRedis({ dir: folder, passwords: createPasswords() });
  admin = new Redis(server.url("admin"), { disableClientInfo: true, retryStrategy: () => 20 });
  admin.on("error", () => {});
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  for (const redis of connections.splice(0)) redis.disconnect();
});

let people = 0;
function newPerson(): PersonId {
  people += 1;
  return personIdSchema.parse(`person-${people}`);
}

/** One replica of chat-ws. */
async function openReplica(rate: Rate, waitMs = 5_000) {
  const redis = new Redis(server.url("chat-ws"), {
    disableClientInfo: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    commandTimeout: 5_000,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 20,
  });
  connections.push(redis);
  redis.on("error", () => {});
  await new Promise((resolve) => redis.once("ready", resolve));
  const metrics = new Registry();
  const rates = openSharedRates({
    redis,
    service: "chat-ws",
    waitMs,
    logger: createLogger({ level: "silent", service: "chat-ws", replica: "test" }),
    metrics,
  });
  const count = async (name: string) =>
    (await metrics.getSingleMetric(name)?.get())?.values[0]?.value ?? 0;
  return {
    redis,
    rate: rates.open("requests", rate),
    unknown: () => count("localstreet_rates_unknown_total"),
    limited: () => count("localstreet_rate_limited_total"),
  };
}

/** How many of `count` tokens are given, in turns by `rates`. */
async function takeMany(
  rates: readonly SharedRate[],
  id: PersonId,
  count: number,
): Promise<number> {
  let taken = 0;
  for (let turn = 0; turn < count; turn += 1) {
    const verdict = await rates[turn % rates.length]?.take(id);
    if (verdict?.ok) taken += 1;
  }
  return taken;
}

const SLOW: Rate = { perSecond: 1, burst: 100 };

/** How often Redis was asked to run the script. */
async function tripsOf(work: () => Promise<void>): Promise<number> {
  const calls = async () => {
    const stats = await admin.info("commandstats");
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  const before = await calls();
  await work();
  return (await calls()) - before;
}

test("E19: three replicas together give the burst, and a tenth of it each at most beyond that", async () => {
  const replicas = await Promise.all([1, 2, 3].map(() => openReplica(SLOW)));
  const id = newPerson();
  const startMs = performance.now();
  const taken = await takeMany(
    replicas.map(({ rate }) => rate),
    id,
    400,
  );
  const seconds = (performance.now() - startMs) / 1_000;
  expect(taken).toBeGreaterThanOrEqual(100);
  expect(taken).toBeLessThanOrEqual(100 + 3 * 10 + seconds + 1);
  expect(await replicas[0]?.limited()).toBeGreaterThan(0);
});

test("E19: what a burst was given beyond its size is paid for: the rate holds in the long run", async () => {
  const rate = { perSecond: 200, burst: 20 };
  const replicas = await Promise.all([openReplica(rate), openReplica(rate)]);
  const id = newPerson();
  const startMs = performance.now();
  let taken = 0;
  while (performance.now() - startMs < 1_500) {
    const verdicts = await Promise.all(replicas.map((replica) => replica.rate.take(id)));
    taken += verdicts.filter(({ ok }) => ok).length;
    await new Promise(setImmediate);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  expect(taken).toBeLessThanOrEqual(20 + 2 * 2 + 200 * seconds + 1);
  expect(taken).toBeGreaterThan(100 * seconds);
});

test("E19: many requests at once wait for Redis rather than pass uncounted", async () => {
  const replicas = await Promise.all([openReplica(SLOW), openReplica(SLOW)]);
  const id = newPerson();
  const asked = Array.from({ length: 600 }, (_, turn) => replicas[turn % 2]?.rate.take(id));
  const taken = (await Promise.all(asked)).filter((verdict) => verdict?.ok).length;
  expect(taken).toBeGreaterThanOrEqual(100);
  expect(taken).toBeLessThanOrEqual(100 + 2 * 10 + 2);
  expect((await replicas[0]?.unknown()) ?? 0).toBe(0);
});

test("E19: a person who asks little costs Redis nothing, a busy one a trip for ten requests, one over the limit next to none", async () => {
  const { rate } = await openReplica(SLOW);
  const quick = await openReplica({ perSecond: 400, burst: 20 });
  const [calm, busy] = [newPerson(), newPerson()];
  const startMs = performance.now();
  expect(
    await tripsOf(async () => {
      expect(await takeMany([rate], calm, 9)).toBe(9);
      // Each after more than the 50 ms in which this bucket fills.
      let lastMs = 0;
      await expect
        .poll(
          async () => {
            if (performance.now() - lastMs < 60) return false;
            await quick.rate.take(calm);
            const isLast = lastMs > 0 && performance.now() - startMs > 600;
            lastMs = performance.now();
            return isLast;
          },
          { interval: 5, timeout: 5_000 },
        )
        .toBe(true);
    }),
  ).toBe(0);
  expect(
    await tripsOf(async () => {
      expect(await takeMany([rate], busy, 100)).toBe(100);
    }),
  ).toBeLessThanOrEqual(10);
  expect(
    await tripsOf(async () => {
      await takeMany([rate], busy, 1_000);
    }),
  ).toBeLessThanOrEqual(1);
});

test("E19: one person at the limit takes nothing from another", async () => {
  const replicas = await Promise.all([openReplica(SLOW), openReplica(SLOW)]);
  const rates = replicas.map(({ rate }) => rate);
  const [eager, calm] = [newPerson(), newPerson()];
  await takeMany(rates, eager, 300);
  expect((await rates[0]?.take(eager))?.ok).toBe(false);
  expect(await takeMany(rates, calm, 50)).toBe(50);
});

test("E19: a bucket expires when it is full", async () => {
  const { rate } = await openReplica({ perSecond: 100, burst: 20 });
  const id = newPerson();
  await takeMany([rate], id, 20);
  const key = rateKey("chat-ws", "requests", id);
  await expect.poll(() => admin.exists(key)).toBe(1);
  expect(await admin.pttl(key)).toBeLessThanOrEqual(200);
  await expect.poll(() => admin.exists(key)).toBe(0);
});

test("E19: without Redis each replica counts alone and says so; when it is back they count together", async () => {
  const replicas = await Promise.all([openReplica(SLOW), openReplica(SLOW)]);
  const rates = replicas.map(({ rate }) => rate);
  await server.kill();
  const alone = await takeMany(rates, newPerson(), 400);
  expect(alone).toBeGreaterThanOrEqual(200);
  expect(alone).toBeLessThanOrEqual(210);
  expect(await replicas[0]?.unknown()).toBeGreaterThan(0);
  await server.start();
  await expect
    .poll(() => takeMany(rates, newPerson(), 400), { timeout: 10_000 })
    .toBeLessThanOrEqual(130);
});

test("E19: a Redis that hangs holds up a burst once, and no longer than a request may wait", async () => {
  const { rate, unknown } = await openReplica(SLOW, 100);
  await admin.call("CLIENT", "PAUSE", "3000", "ALL");
  const startMs = performance.now();
  expect(await takeMany([rate], newPerson(), 100)).toBe(100);
  expect(await takeMany([rate], newPerson(), 100)).toBe(100);
  expect(performance.now() - startMs).toBeLessThan(2_500);
  expect(await unknown()).toBeGreaterThan(0);
  await admin.ping();
});

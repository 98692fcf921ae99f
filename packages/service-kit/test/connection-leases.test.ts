import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { connectionsKey, userConnections, vendorConnections } from "@localstreet/contracts/keys";
import { createPasswords } from "@localstreet/stores/credentials";
import { type RedisServer, startRedis } from "@localstreet/stores/redis-server";
import { Redis } from "ioredis";
import { Registry } from "prom-client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ConnectionLeases, openConnectionLeases } from "../src/connection-leases.ts";
import { createLogger } from "../src/logger.ts";

const REFRESH_MS = 100;
const LEASE_MS = 600;
const ana = userConnections(personIdSchema.parse("ana"));
const bakery = vendorConnections(vendorIdSchema.parse("bakery"));

let folder: string;
let server: RedisServer;
let admin: Redis;
const open: { redis: Redis; leases: ConnectionLeases }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "localstreet-leases-"));
  server = await startRedis({ dir: folder, passwords: createPasswords() });
  admin = new Redis(server.url("admin"), { disableClientInfo: true, retryStrategy: () => 20 });
  admin.on("error", () => {});
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const { redis, leases } of open.splice(0)) {
    redis.disconnect();
    await leases.close();
  }
  await admin.flushall();
});

/** One replica of chat-ws. `die` is what `kill -9` does: nothing is told to Redis any more. */
async function openReplica(refreshMs = REFRESH_MS) {
  const redis = new Redis(server.url("chat-ws"), {
    disableClientInfo: true,
    enableOfflineQueue: false,
    commandTimeout: 500,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 20,
  });
  redis.on("error", () => {});
  await new Promise((resolve) => redis.once("ready", resolve));
  const metrics = new Registry();
  const leases = openConnectionLeases({
    redis,
    service: "chat-ws",
    leaseMs: LEASE_MS,
    refreshMs,
    logger: createLogger({ level: "silent", service: "chat-ws", replica: "test" }),
    metrics,
  });
  open.push({ redis, leases });
  const unknown = async () =>
    (await metrics.getSingleMetric("localstreet_leases_unknown_total")?.get())?.values[0]?.value;
  return Object.assign(leases, {
    unknown,
    async die() {
      redis.disconnect();
      await leases.close();
    },
  });
}
type Replica = Awaited<ReturnType<typeof openReplica>>;

async function acquire(replica: Replica, count: number, limit = 10): Promise<string[]> {
  return await Promise.all(Array.from({ length: count }, () => replica.acquire(ana, limit)));
}
const countBecomes = (replica: Replica, count: number | null, subject = ana) =>
  expect.poll(() => replica.count(subject), { timeout: 3_000, interval: 10 }).toBe(count);

describe("E9: connections are limited over all replicas", () => {
  test("E9: the eleventh is refused, and one that goes makes room on another replica", async () => {
    const [a, b] = [await openReplica(), await openReplica()];
    const all = (await Promise.all([acquire(a, 6), acquire(b, 5)])).flat();
    expect(all.filter((verdict) => verdict === "acquired").length).toBe(10);
    expect(all.filter((verdict) => verdict === "too-many").length).toBe(1);
    await countBecomes(a, 10);
    a.release(ana);
    await countBecomes(b, 9);
    expect(await acquire(b, 2)).toEqual(["acquired", "too-many"]);
    await countBecomes(b, 10);
  });

  test("E9: refusals and departures in any order leave the true count", async () => {
    const a = await openReplica();
    for (let round = 0; round < 20; round += 1) {
      const asked = acquire(a, 14);
      a.release(ana);
      const kept = (await asked).filter((verdict) => verdict === "acquired").length - 1;
      await countBecomes(a, kept);
      for (let count = 0; count < kept; count += 1) a.release(ana);
      await expect.poll(() => admin.exists(connectionsKey("chat-ws", ana))).toBe(0);
    }
  });

  test("E9: a killed replica's connections stop counting, a living one's go on", async () => {
    const [a, b] = [await openReplica(), await openReplica()];
    await acquire(a, 4);
    await acquire(b, 6);
    await countBecomes(b, 10);
    await a.die();
    expect(await b.acquire(ana, 10)).toBe("too-many");
    await countBecomes(b, 6);
    expect(await b.acquire(ana, 10)).toBe("acquired");
  });

  test("E9: a killed replica's key is gone when its lease has ended", async () => {
    const a = await openReplica();
    await acquire(a, 1);
    await a.die();
    await expect.poll(() => admin.exists(connectionsKey("chat-ws", ana))).toBe(0);
  });

  test("E9: a flushed Redis knows everything again after a refresh, and says so until then", async () => {
    const [a, b] = [await openReplica(), await openReplica()];
    await acquire(a, 4);
    await acquire(b, 6);
    for (let count = 0; count < 450; count += 1) {
      await a.acquire(userConnections(personIdSchema.parse(`person-${count}`)));
    }
    await b.acquire(bakery);
    await countBecomes(a, 1, bakery);
    await admin.flushall();
    expect(await a.count(ana)).toBe(null);
    await countBecomes(a, 10);
    expect(await a.count(bakery)).toBe(1);
    expect(await a.count(userConnections(personIdSchema.parse("person-449")))).toBe(1);
    expect(await a.acquire(ana, 10)).toBe("too-many");
  });

  test("E9: without Redis connections are let in, counted as unknown, and told to it when it is back", async () => {
    const a = await openReplica(60_000);
    await acquire(a, 2);
    await server.kill();
    expect(await acquire(a, 2)).toEqual(["unknown", "unknown"]);
    expect(await a.count(ana)).toBe(null);
    expect(await a.unknown()).toBe(2);
    // What one replica alone knows to be too many is refused all the same.
    expect((await acquire(a, 7)).at(-1)).toBe("too-many");
    a.release(ana);
    await server.start();
    await expect
      .poll(() => admin.hvals(connectionsKey("chat-ws", ana)).catch(() => []), { timeout: 5_000 })
      .toEqual([expect.stringMatching(/^9 \d+$/)]);
  });
});

import { personIdSchema } from "@localstreet/contracts/ids";
import {
  connectionsKey,
  positionKey,
  userConnections,
  watchedKey,
} from "@localstreet/contracts/keys";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  isUpdate,
  openAsBuyer,
  postFix,
  startTracking,
  startWatch,
  storeDelivery,
  type Tracking,
  watch,
} from "./start-tracking.ts";

let tracking: Tracking;

beforeAll(async () => {
  tracking = await startTracking({ REDIS_TIMEOUT_MS: "300", WATCH_REFRESH_MS: "60000" });
});

afterAll(async () => {
  await tracking?.stop();
});

const accepted = async (driverId: string, lat: number) =>
  (await postFix(tracking.ingest[0], driverId, { lat })) === 204;

test("T5: after Redis lost everything every fix still comes", async () => {
  const { buyer, driverId } = await startWatch(tracking);
  await postFix(tracking.ingest[0], driverId, { lat: 0 });
  await buyer.next(isUpdate);
  await tracking.redis.flushall();
  const fixes = [1, 2, 3, 4, 5];
  for (const lat of fixes) expect(await accepted(driverId, lat)).toBe(true);
  await buyer.next((frame) => frame.lat === 5);
  expect(buyer.frames.filter(isUpdate).map((frame) => frame.lat)).toEqual([0, ...fixes]);
  buyer.close();
});

test("T5: a watch outlives a restart of Redis, and its flag comes back", async () => {
  const { buyer, driverId } = await startWatch(tracking);
  await tracking.stores.redis.kill();
  await tracking.stores.redis.start();
  await until(() => accepted(driverId, 1), { what: "a fix is accepted" });
  expect(await buyer.next(isUpdate)).toMatchObject({ lat: 1 });
  await until(async () => (await tracking.redis.exists(watchedKey(driverId))) === 1, {
    what: "the watch flag",
  });
  buyer.close();
});

test("T5 T9 E7: without Redis a watch is answered without a position, and live once it is back", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 1 });
  await tracking.stores.redis.kill();
  const buyer = await openAsBuyer(tracking.fanout[1], delivery.buyerId);
  expect(await watch(buyer, deliveryId)).toMatchObject({
    type: "watching",
    driver: { state: "lost", position: null, fixAt: null },
  });
  const token = await tokenFor({ role: "buyer", sub: delivery.buyerId });
  const response = await fetch(`${tracking.fanout[0].url}/api/deliveries/${deliveryId}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("1");
  expect((await fetch(`${tracking.fanout[0].adminUrl}/readyz`)).status).toBe(200);
  await tracking.stores.redis.start();
  await until(() => accepted(delivery.driverId, 2), { what: "a fix is accepted" });
  expect(await buyer.next(isUpdate)).toMatchObject({ lat: 2 });
  buyer.close();
});

test("E7: a Redis that hangs holds up a watch for a bounded time", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[1], delivery.buyerId);
  tracking.stores.redis.freeze();
  const startMs = performance.now();
  const answer = await watch(buyer, deliveryId);
  tracking.stores.redis.thaw();
  expect(answer).toMatchObject({ type: "watching", driver: { state: "lost" } });
  expect(performance.now() - startMs).toBeLessThan(2_000);
  await until(() => accepted(delivery.driverId, 3), { what: "a fix is accepted" });
  expect(await buyer.next(isUpdate)).toMatchObject({ lat: 3 });
  buyer.close();
});

test("O4: Redis refuses this service everything but reading positions, setting watch flags and counting its connections", async () => {
  const driverId = personIdSchema.parse("somebody");
  const redis = new Redis(tracking.stores.redis.url("tracking-fanout"), {
    disableClientInfo: true,
  });
  const refused = async (command: Promise<unknown>) =>
    await expect(command).rejects.toThrow("NOPERM");
  await refused(redis.hset(positionKey(driverId), "position", "{}"));
  await refused(redis.set(positionKey(driverId), "{}"));
  await refused(redis.del(positionKey(driverId)));
  await refused(redis.get(watchedKey(driverId)));
  await refused(redis.del(watchedKey(driverId)));
  await refused(redis.set("other", "1"));
  await refused(redis.eval("return 1", 1, positionKey(driverId)));
  await refused(redis.hgetall(connectionsKey("chat-ws", userConnections(driverId))));
  await refused(redis.keys("*"));
  await refused(redis.flushall());
  await refused(redis.config("GET", "*"));
  expect(await redis.set(watchedKey(driverId), "1", "EX", 1)).toBe("OK");
  expect(await redis.hget(positionKey(driverId), "position")).toBeNull();
  redis.disconnect();
});

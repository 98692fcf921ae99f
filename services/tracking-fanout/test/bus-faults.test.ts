import { connectBus } from "@localstreet/bus/connection";
import { positionKey } from "@localstreet/contracts/keys";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  isUpdate,
  newDelivery,
  openAsBuyer,
  postFix,
  putDelivery,
  startTracking,
  startWatch,
  storeDelivery,
  type Tracking,
  timeAgo,
  watch,
} from "./start-tracking.ts";

let tracking: Tracking;

beforeAll(async () => {
  tracking = await startTracking({ WATCH_REFRESH_MS: "500" });
});

afterAll(async () => {
  await tracking?.stop();
});

test("T3 T5 E7: without the bus a delivery is a 503, a watch is answered, and fixes come from Redis", async () => {
  const { buyer, deliveryId, delivery, driverId } = await startWatch(tracking);
  await tracking.stores.nats.kill();
  await until(() => !tracking.bus.isConnected(), { what: "the bus is gone" });
  const fresh = newDelivery();
  await until(
    async () => {
      const response = await putDelivery(tracking.fanout[0], fresh.deliveryId, fresh.delivery);
      return response.status === 503 && response.headers.get("retry-after") === "1";
    },
    { what: "a delivery is refused", timeoutMs: 10_000 },
  );
  expect((await fetch(`${tracking.fanout[0].adminUrl}/readyz`)).status).toBe(200);
  const late = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  expect(await watch(late, deliveryId)).toMatchObject({ type: "watching" });
  expect(await postFix(tracking.ingest[0], driverId, { lat: 4 })).toBe(204);
  for (const client of [buyer, late]) expect(await client.next(isUpdate)).toMatchObject({ lat: 4 });

  await tracking.stores.nats.start();
  await until(
    async () =>
      (await putDelivery(tracking.fanout[0], fresh.deliveryId, fresh.delivery)).status === 201,
    { what: "a delivery is accepted", timeoutMs: 10_000 },
  );
  await until(() => tracking.bus.isConnected(), { what: "the bus is back", timeoutMs: 10_000 });
  expect(await postFix(tracking.ingest[0], driverId, { lat: 5 })).toBe(204);
  for (const client of [buyer, late]) {
    expect(await client.next(isUpdate)).toMatchObject({ lat: 5 });
    client.close();
  }
});

test("O4: NATS refuses this service to publish positions and to read orders and chats", async () => {
  const own = await connectBus({ ...tracking.stores.nats.as("tracking-fanout"), name: "own" });
  const heard: string[] = [];
  const refusedSubjects = ["vendor.v.orders", "live.vendor.v.orders", "live.chat.buyer.b"];
  for (const subject of refusedSubjects) own.subscribe(subject, () => heard.push(`own ${subject}`));
  tracking.bus.subscribe("live.tracking.somebody", () => heard.push("admin"));
  tracking.bus.subscribe("test.end", () => heard.push("end"));
  await Promise.all([own.flush(), tracking.bus.flush()]);
  own.publishSignal("live.tracking.somebody", "{}");
  await own.flush();
  for (const subject of refusedSubjects) tracking.bus.publishSignal(subject, "{}");
  tracking.bus.publishSignal("test.end", "");
  await until(() => heard.includes("end"), { what: "what was published last" });
  await own.flush();
  expect(heard).toEqual(["end"]);
  await own.close();
});

test("T8 T9: a stored position that this version does not understand hides no other driver's", async () => {
  const service = tracking.fanout[0];
  const broken = await storeDelivery(service);
  const whole = await storeDelivery(service, { buyerId: broken.delivery.buyerId });
  await tracking.redis.hset(positionKey(broken.delivery.driverId), "position", '{"lat":1}');
  const buyer = await openAsBuyer(service, broken.delivery.buyerId);
  expect(await watch(buyer, broken.deliveryId)).toMatchObject({ driver: { state: "lost" } });
  expect(await watch(buyer, whole.deliveryId)).toMatchObject({ driver: { state: "lost" } });
  // No signal tells of this one: it is found when all watched drivers are looked at together.
  const position = {
    ...{ lat: 57, lng: 12, accuracy: null, heading: null, speed: null },
    recordedAt: timeAgo(0),
    timestamp: timeAgo(0),
  };
  await tracking.redis.hset(
    positionKey(whole.delivery.driverId),
    "position",
    JSON.stringify(position),
  );
  expect(await buyer.next(isUpdate)).toMatchObject({ deliveryId: whole.deliveryId, lat: 57 });
  buyer.close();
});

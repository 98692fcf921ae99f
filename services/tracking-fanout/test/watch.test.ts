import { openRevocations } from "@localstreet/bus/revocations";
import { positionKey, WATCHED_TTL_SECONDS, watchedKey } from "@localstreet/contracts/keys";
import { liveTrackingSubject } from "@localstreet/contracts/subjects";
import { trackingServerFrameSchema } from "@localstreet/contracts/tracking";
import { oddTokens, socketVerdicts } from "@localstreet/testkit/odd-tokens";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { openSocket } from "@localstreet/testkit/ws-client";
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
  tracking = await startTracking({ WATCHES_PER_CONNECTION: "3" }, 2);
});

afterAll(async () => {
  await tracking?.stop();
});

/** Subjects of positions that the fan-outs are subscribed to, as the server sees it. */
async function subscribedDrivers(): Promise<string[]> {
  const response = await fetch(`${tracking.stores.nats.monitorUrl()}/connz?subs=1`);
  const { connections } = (await response.json()) as {
    connections: { subscriptions_list?: string[] }[];
  };
  return connections
    .flatMap((connection) => connection.subscriptions_list ?? [])
    .filter((subject) => subject.startsWith("live.tracking."));
}

test("T5 G4: a watch begins with the newest position, and every fix follows, over all replicas", async () => {
  const [one, two] = tracking.fanout;
  const { deliveryId, delivery } = await storeDelivery(one);
  const recordedAt = timeAgo(5_000);
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 0, recordedAt, speed: 3 });
  const buyer = await openAsBuyer(two, delivery.buyerId);
  expect(buyer.headers["localstreet-replica"]).toBe("tracking-fanout-2");
  expect(await watch(buyer, deliveryId)).toEqual({
    type: "watching",
    ref: 1,
    deliveryId,
    status: "assigned",
    driver: {
      state: "live",
      fixAt: recordedAt,
      position: {
        lat: 0,
        lng: 11.97,
        speed: 3,
        heading: null,
        accuracy: null,
        recordedAt,
        timestamp: expect.any(String),
      },
    },
  });
  const token = await tokenFor({ role: "vendor", sub: "staff", vendors: [delivery.vendorId] });
  const vendor = await openSocket(`${one.wsUrl}/api/tracking/ws`, { token });
  expect((await watch(vendor, deliveryId)).driver.position.lat).toBe(0);
  for (let step = 1; step <= 10; step += 1) {
    await postFix(tracking.ingest[step % 2 === 0 ? 0 : 1], delivery.driverId, { lat: step });
    // Two replicas publish side by side: one after the other is what a phone does.
    for (const client of [buyer, vendor]) {
      expect(await client.next()).toMatchObject({ type: "location-update", deliveryId, lat: step });
    }
  }
  for (const client of [buyer, vendor]) {
    for (const frame of client.frames) trackingServerFrameSchema.parse(frame);
    client.close();
  }
});

test("T5: a watch without any position yet is answered, and the first fix follows", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  expect((await watch(buyer, deliveryId)).driver).toEqual({
    state: "lost",
    position: null,
    fixAt: null,
  });
  await postFix(tracking.ingest[1], delivery.driverId, { lat: 5 });
  expect(await buyer.next(isUpdate)).toMatchObject({ deliveryId, lat: 5 });
  buyer.close();
});

test("T5: a fix that races with the watch is in its answer or follows it, never neither", async () => {
  for (let round = 0; round < 30; round += 1) {
    const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
    const buyer = await openAsBuyer(tracking.fanout[1], delivery.buyerId);
    const [answer] = await Promise.all([
      watch(buyer, deliveryId),
      postFix(tracking.ingest[0], delivery.driverId, { lat: 1 }),
    ]);
    if (answer.driver.position?.lat !== 1) {
      expect(await buyer.next(isUpdate)).toMatchObject({ lat: 1 });
    }
    buyer.close();
  }
});

test("T5: while somebody watches, Redis says so; a driver whom nobody watches is not subscribed to", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const { driverId } = delivery;
  const subject = liveTrackingSubject(driverId);
  const buyer = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  const second = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  await watch(buyer, deliveryId);
  await watch(second, deliveryId);
  const ttlMs = await tracking.redis.pttl(watchedKey(driverId));
  expect(ttlMs).toBeGreaterThan(5_000);
  expect(ttlMs).toBeLessThanOrEqual(WATCHED_TTL_SECONDS * 1_000);
  const count = async () => (await subscribedDrivers()).filter((name) => name === subject).length;
  expect(await count()).toBe(1);
  buyer.send({ type: "unwatch-delivery", ref: 2, deliveryId });
  expect(await buyer.next()).toEqual({ type: "unwatched", ref: 2, deliveryId });
  expect(await count()).toBe(1);
  second.close();
  await until(async () => (await count()) === 0, { what: "the subscription is gone" });
  // Not deleted, because another replica's watchers may need it.
  expect(await tracking.redis.exists(watchedKey(driverId))).toBe(1);
  buyer.close();
});

test("T5: after unwatch-delivery nothing of it comes any more, and others still get it", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const [leaver, stayer] = [
    await openAsBuyer(tracking.fanout[0], delivery.buyerId),
    await openAsBuyer(tracking.fanout[0], delivery.buyerId),
  ];
  await watch(leaver, deliveryId);
  await watch(stayer, deliveryId);
  leaver.send({ type: "unwatch-delivery", ref: 2, deliveryId });
  await leaver.next((frame) => frame.ref === 2);
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 1 });
  await stayer.next(isUpdate);
  leaver.send({ type: "unwatch-delivery", ref: 3, deliveryId });
  expect(await leaver.next()).toEqual({ type: "unwatched", ref: 3, deliveryId });
  leaver.close();
  stayer.close();
});

test("T5: one courier with two deliveries is shown on both", async () => {
  const first = await storeDelivery(tracking.fanout[0]);
  const second = await storeDelivery(tracking.fanout[0], first.delivery);
  const buyer = await openAsBuyer(tracking.fanout[0], first.delivery.buyerId);
  await watch(buyer, first.deliveryId);
  await watch(buyer, second.deliveryId);
  await postFix(tracking.ingest[0], first.delivery.driverId, { lat: 3 });
  const updates = [await buyer.next(isUpdate), await buyer.next(isUpdate)];
  expect(updates.map((frame) => frame.deliveryId).sort()).toEqual(
    [first.deliveryId, second.deliveryId].sort(),
  );
  expect(updates.every((frame) => frame.lat === 3)).toBe(true);
  buyer.close();
});

test("T5: watching again is answered again, with the newest position", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  await watch(buyer, deliveryId);
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 1 });
  await buyer.next(isUpdate);
  expect((await watch(buyer, deliveryId)).driver).toMatchObject({
    state: "live",
    position: { lat: 1 },
  });
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 2 });
  expect(await buyer.next()).toMatchObject({ type: "location-update", lat: 2 });
  buyer.close();
});

test("T6 A6: whoever may not watch a delivery is told that there is none", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const refused = { type: "error", ref: 1, code: "not-found", retryable: false };
  const stranger = await openAsBuyer(tracking.fanout[1], "stranger");
  expect(await watch(stranger, deliveryId)).toMatchObject(refused);
  expect(await watch(stranger, "unknown")).toMatchObject(refused);
  const token = await tokenFor({ role: "vendor", sub: delivery.buyerId, vendors: ["another"] });
  const vendor = await openSocket(`${tracking.fanout[0].wsUrl}/api/tracking/ws`, { token });
  expect(await watch(vendor, deliveryId)).toMatchObject(refused);
  for (const status of ["delivered", "cancelled"] as const) {
    const over = await storeDelivery(tracking.fanout[0], { status });
    const buyer = await openAsBuyer(tracking.fanout[1], over.delivery.buyerId);
    expect(await watch(buyer, over.deliveryId)).toMatchObject(refused);
    buyer.close();
  }
  // The connection stays open and of use.
  const own = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[1], own.delivery.buyerId);
  expect(await watch(buyer, deliveryId)).toMatchObject(refused);
  expect(await watch(buyer, own.deliveryId)).toMatchObject({ type: "watching" });
  for (const client of [stranger, vendor, buyer]) client.close();
});

test("T5 A6: drivers and services do not connect here", async () => {
  for (const role of ["driver", "service"] as const) {
    const token = await tokenFor({ role, sub: "somebody" });
    const opening = openSocket(`${tracking.fanout[0].wsUrl}/api/tracking/ws`, { token });
    await expect(opening).rejects.toMatchObject({ status: 403 });
  }
});

test("T5 A4: the token may come as the first frame", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openSocket(`${tracking.fanout[0].wsUrl}/api/tracking/ws`);
  const token = await tokenFor({ role: "buyer", sub: delivery.buyerId });
  buyer.send({ type: "authenticate", token });
  expect(await buyer.next()).toMatchObject({ type: "authenticated", userId: delivery.buyerId });
  expect(await watch(buyer, deliveryId)).toMatchObject({ type: "watching" });
  buyer.close();
});

test("T7: each change of the delivery is told, and the last one ends the watch", async () => {
  const [one, two] = tracking.fanout;
  const { deliveryId, delivery } = await storeDelivery(one);
  const buyer = await openAsBuyer(two, delivery.buyerId);
  await watch(buyer, deliveryId);
  for (const status of ["picked_up", "arriving"]) {
    await putDelivery(one, deliveryId, { ...delivery, status });
    expect(await buyer.next()).toEqual({ type: "delivery-updated", deliveryId, status });
  }
  await putDelivery(one, deliveryId, { ...delivery, status: "arriving" });
  await putDelivery(one, deliveryId, { ...delivery, status: "delivered" });
  const overMs = performance.now();
  expect(await buyer.next()).toEqual({ type: "delivery-updated", deliveryId, status: "delivered" });
  expect(await buyer.next()).toEqual({ type: "unwatched", deliveryId });
  await until(
    async () => !(await subscribedDrivers()).includes(liveTrackingSubject(delivery.driverId)),
    { what: "the subscription is gone", timeoutMs: 1_000 },
  );
  expect(performance.now() - overMs).toBeLessThan(1_000);
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 9 });
  expect(await watch(buyer, deliveryId)).toMatchObject({ type: "error", code: "not-found" });
  buyer.close();
});

test("T7: a cancelled delivery ends the watches on every replica", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyers = await Promise.all(
    tracking.fanout.map((service) => openAsBuyer(service, delivery.buyerId)),
  );
  for (const buyer of buyers) await watch(buyer, deliveryId);
  await putDelivery(tracking.fanout[0], deliveryId, { ...delivery, status: "cancelled" });
  for (const buyer of buyers) {
    expect(await buyer.next()).toMatchObject({ type: "delivery-updated", status: "cancelled" });
    expect(await buyer.next()).toMatchObject({ type: "unwatched" });
    buyer.close();
  }
});

test("T7 T8: a change of driver moves the watch, and the old driver is not shown any more", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const other = newDelivery().delivery.driverId;
  const buyer = await openAsBuyer(tracking.fanout[1], delivery.buyerId);
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 1, recordedAt: timeAgo(3_000) });
  await postFix(tracking.ingest[0], other, { lat: 2, recordedAt: timeAgo(2_000) });
  expect((await watch(buyer, deliveryId)).driver.position.lat).toBe(1);
  await putDelivery(tracking.fanout[0], deliveryId, { ...delivery, driverId: other });
  expect(await buyer.next()).toMatchObject({ type: "delivery-updated", status: "assigned" });
  expect(await buyer.next()).toMatchObject({ type: "location-update", lat: 2 });
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 3 });
  await postFix(tracking.ingest[0], other, { lat: 4 });
  expect(await buyer.next()).toMatchObject({ type: "location-update", lat: 4 });
  expect(await subscribedDrivers()).not.toContain(liveTrackingSubject(delivery.driverId));
  const unseen = newDelivery().delivery.driverId;
  await putDelivery(tracking.fanout[0], deliveryId, { ...delivery, driverId: unseen });
  await buyer.next((frame) => frame.type === "delivery-updated");
  expect((await watch(buyer, deliveryId)).driver.state).toBe("lost");
  buyer.close();
});

test("T7 T6: a delivery that becomes another buyer's is over for the first", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  await watch(buyer, deliveryId);
  const changed = { ...delivery, buyerId: "another", status: "picked_up" };
  await putDelivery(tracking.fanout[1], deliveryId, changed);
  expect(await buyer.next()).toEqual({ type: "unwatched", deliveryId });
  buyer.close();
});

test("T8: signals that come late or out of order are not shown", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  await watch(buyer, deliveryId);
  const nowMs = Date.now();
  const signal = (step: number) =>
    tracking.bus.publishSignal(
      liveTrackingSubject(delivery.driverId),
      JSON.stringify({
        lat: step,
        lng: 0,
        accuracy: null,
        heading: null,
        speed: null,
        recordedAt: new Date(nowMs + step).toISOString(),
        timestamp: new Date(nowMs).toISOString(),
      }),
    );
  for (const step of [2, 1, 4, 4, 3, 5]) signal(step);
  for (const lat of [2, 4, 5]) expect(await buyer.next()).toMatchObject({ lat });
  buyer.close();
});

test("T8: with `after` a client that comes back is shown nothing older than it has", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const startMs = Date.now();
  const before = (ms: number) => new Date(startMs - ms).toISOString();
  const oldAt = before(4_000);
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 1, recordedAt: oldAt });
  const behind = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  expect((await watch(behind, deliveryId, oldAt)).driver.position.lat).toBe(1);
  const ahead = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  expect((await watch(ahead, deliveryId, before(3_000))).driver).toEqual({
    state: "live",
    position: null,
    fixAt: null,
  });
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 2, recordedAt: before(3_500) });
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 3, recordedAt: before(1_000) });
  expect(await behind.next()).toMatchObject({ lat: 2 });
  expect(await behind.next()).toMatchObject({ lat: 3 });
  expect(await ahead.next()).toMatchObject({ lat: 3 });
  behind.close();
  ahead.close();
});

test("T9: the answer says whether the driver is live, stale or lost", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  const state = async () => (await watch(buyer, deliveryId)).driver.state;
  expect(await state()).toBe("lost");
  await postFix(tracking.ingest[0], delivery.driverId, { recordedAt: timeAgo(20_000) });
  await buyer.next(isUpdate);
  expect(await state()).toBe("stale");
  await postFix(tracking.ingest[0], delivery.driverId, { recordedAt: timeAgo(10_000) });
  await buyer.next(isUpdate);
  expect(await state()).toBe("live");
  const newcomer = await openAsBuyer(tracking.fanout[1], delivery.buyerId);
  await tracking.redis.del(positionKey(delivery.driverId));
  expect((await watch(newcomer, deliveryId)).driver.state).toBe("lost");
  buyer.close();
  newcomer.close();
});

test("A9: a revoked watcher's socket is closed with 4401 within a second, and its token is refused", async () => {
  const { deliveryId, buyer, delivery } = await startWatch(tracking);
  const authorization = `Bearer ${await tokenFor({ role: "buyer", sub: delivery.buyerId })}`;
  const revocations = await openRevocations(tracking.bus);
  await revocations.revoke(delivery.buyerId, Math.floor(Date.now() / 1_000));
  const startMs = performance.now();
  expect((await buyer.closed).code).toBe(4401);
  expect(performance.now() - startMs).toBeLessThan(1_000);
  const response = await fetch(`${tracking.fanout[0].url}/api/deliveries/${deliveryId}`, {
    headers: { authorization },
  });
  expect(await response.json()).toMatchObject({ status: 401, code: "token-revoked" });
  revocations.close();
});

test("A10: a genuine token with an odd time is refused at every place, and twenty watchers do not notice", async () => {
  const watchers = await Promise.all(Array.from({ length: 20 }, () => startWatch(tracking)));
  const service = tracking.fanout[1];
  for (const { name, token, isTaken } of oddTokens({ role: "buyer", sub: "oda" })) {
    const verdicts = await socketVerdicts(`${service.wsUrl}/api/tracking/ws`, token);
    const taken = ["authenticated", "authenticated", "authenticated"];
    expect([name, ...verdicts]).toEqual([name, ...(isTaken ? taken : [401, 401, 4401])]);
    const read = await fetch(`${service.url}/api/deliveries/${watchers[0]?.deliveryId}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect([name, read.status]).toEqual([name, isTaken ? 404 : 401]);
  }
  for (const { buyer, driverId } of watchers) {
    await postFix(tracking.ingest[0], driverId, { lat: 5 });
    expect(await buyer.next(isUpdate)).toMatchObject({ lat: 5 });
    buyer.close();
  }
});

test("T11: a connection has so many watches at most", async () => {
  const first = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[0], first.delivery.buyerId);
  const ids = [first.deliveryId];
  for (let count = 0; count < 3; count += 1) {
    ids.push((await storeDelivery(tracking.fanout[0], first.delivery)).deliveryId);
  }
  const answers = [];
  for (const deliveryId of ids) answers.push(await watch(buyer, deliveryId));
  expect(answers.slice(0, 3).every((frame) => frame.type === "watching")).toBe(true);
  expect(answers[3]).toMatchObject({ type: "error", code: "too-many-watches", retryable: false });
  // One that is watched already is not one more.
  expect(await watch(buyer, first.deliveryId)).toMatchObject({ type: "watching" });
  buyer.send({ type: "unwatch-delivery", deliveryId: first.deliveryId });
  await buyer.next((frame) => frame.type === "unwatched");
  expect(await watch(buyer, ids[3]!)).toMatchObject({ type: "watching" });
  buyer.close();
});

test.each([
  ["no JSON", "{", "invalid-request"],
  ["an unknown type", { type: "watch", ref: 7 }, "unknown-type"],
  ["a bad id", { type: "watch-delivery", ref: 7, deliveryId: "a.*" }, "invalid-request"],
  ["a field too many", { type: "watch-delivery", deliveryId: "a", x: 1 }, "invalid-request"],
  ["a bad time", { type: "watch-delivery", deliveryId: "a", after: "now" }, "invalid-request"],
])("E2 G1 G3: %s keeps the connection open", async (_, frame, code) => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[0], delivery.buyerId);
  buyer.send(frame);
  const answer = await buyer.next(({ type }) => type === "error");
  expect(answer).toMatchObject({ code, retryable: false });
  expect(answer.ref).toBe(typeof frame === "object" && "ref" in frame ? frame.ref : undefined);
  expect(await watch(buyer, deliveryId)).toMatchObject({ type: "watching" });
  buyer.close();
});

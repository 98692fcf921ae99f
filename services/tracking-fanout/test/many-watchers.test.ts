import { connectBus } from "@localstreet/bus/connection";
import { liveTrackingSubject } from "@localstreet/contracts/subjects";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  isUpdate,
  openAsBuyer,
  postFix,
  startTracking,
  storeDelivery,
  type Tracking,
  watch,
} from "./start-tracking.ts";

let tracking: Tracking;

beforeAll(async () => {
  tracking = await startTracking();
});

afterAll(async () => {
  await tracking?.stop();
});

test("T5: a hundred watchers of one driver, on both replicas, all get each fix", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const watchers = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      openAsBuyer(tracking.fanout[index % 2 === 0 ? 0 : 1], delivery.buyerId),
    ),
  );
  await Promise.all(watchers.map((watcher) => watch(watcher, deliveryId)));
  const fixes = Array.from({ length: 20 }, (_, index) => index + 1);
  for (const lat of fixes) {
    expect(await postFix(tracking.ingest[0], delivery.driverId, { lat })).toBe(204);
  }
  for (const watcher of watchers) {
    await until(() => watcher.frames.some((frame) => frame.lat === 20), { what: "the last fix" });
    expect(watcher.frames.filter(isUpdate).map((frame) => frame.lat)).toEqual(fixes);
    watcher.close();
  }
});

test("T8: a watcher that does not read gets the newest and in order once it does, and slows nobody", async () => {
  const { fanout, stores } = tracking;
  const first = await storeDelivery(fanout[0]);
  const { driverId, buyerId } = first.delivery;
  const deliveryIds = [first.deliveryId];
  while (deliveryIds.length < 50) {
    deliveryIds.push((await storeDelivery(fanout[0], first.delivery)).deliveryId);
  }
  // Many watches on one connection, so that what it does not read is more than a socket holds.
  const slow = await openAsBuyer(fanout[0], buyerId);
  for (const deliveryId of deliveryIds) await watch(slow, deliveryId);
  const fast = await openAsBuyer(fanout[0], buyerId);
  await watch(fast, first.deliveryId);
  slow.socket.pause();

  const fixes = 2_000;
  const driver = await connectBus({ ...stores.nats.as("tracking-ingest"), name: "driver" });
  const startMs = Date.now();
  for (let step = 1; step <= fixes; step += 1) {
    const timestamp = new Date(startMs).toISOString();
    const position = { lat: step / 100, lng: 0, accuracy: null, heading: null, speed: null };
    const recordedAt = new Date(startMs + step).toISOString();
    driver.publishSignal(
      liveTrackingSubject(driverId),
      JSON.stringify({ ...position, recordedAt, timestamp }),
    );
    if (step % 10 === 0) await driver.flush();
    // Its answer waits behind positions that are older, and the newest must not get before it.
    if (step === fixes / 2) slow.send({ type: "watch-delivery", deliveryId: first.deliveryId });
  }
  const isLast = (frame: { type: string; lat?: number }) =>
    isUpdate(frame) && frame.lat === fixes / 100;
  await fast.next(isLast, 10_000);
  const shownToFast = fast.frames.filter(isUpdate).length;
  expect(slow.frames.filter(isUpdate).length).toBeLessThan(fixes);

  slow.socket.resume();
  const lastOf = new Map<string, number>();
  let looked = 0;
  let updates = 0;
  let isAnsweredAgain = false;
  await until(
    () => {
      for (; looked < slow.frames.length; looked += 1) {
        const frame = slow.frames[looked];
        const { lat } = frame.driver?.position ?? frame;
        if (lat === undefined) continue;
        expect(lat).toBeGreaterThanOrEqual(lastOf.get(frame.deliveryId) ?? 0);
        lastOf.set(frame.deliveryId, lat);
        if (isUpdate(frame)) updates += 1;
        if (frame.type === "watching" && lat > 0) isAnsweredAgain = true;
      }
      const isNewest = (deliveryId: string) => lastOf.get(deliveryId) === fixes / 100;
      return isAnsweredAgain && deliveryIds.every(isNewest);
    },
    { what: "the newest position of every delivery", timeoutMs: 10_000 },
  );
  // It was spared most of them, and the one who read was not.
  expect(updates).toBeLessThan((fixes * deliveryIds.length) / 2);
  expect(shownToFast).toBeGreaterThan(fixes / 2);
  slow.close();
  fast.close();
  await driver.close();
});

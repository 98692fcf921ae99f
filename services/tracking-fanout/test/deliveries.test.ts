import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  newDelivery,
  postFix,
  putDelivery,
  startTracking,
  storeDelivery,
  type Tracking,
  timeAgo,
} from "./start-tracking.ts";

let tracking: Tracking;

beforeAll(async () => {
  tracking = await startTracking();
});

afterAll(async () => {
  await tracking?.stop();
});

async function getDelivery(deliveryId: string, token: string, service = tracking.fanout[1]) {
  const response = await fetch(`${service.url}/api/deliveries/${deliveryId}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const body = (await response.json()) as { status: string; driver: { state: string } };
  return { status: response.status, body };
}

const backend = () => tokenFor({ role: "service", sub: "backend" });

test("T3 G5: a new delivery is 201, a repeat or a change is 200", async () => {
  const [one, two] = tracking.fanout;
  const { deliveryId, delivery } = newDelivery();
  const created = await putDelivery(one, deliveryId, delivery);
  expect(created.status).toBe(201);
  expect(await created.json()).toEqual({ deliveryId, ...delivery });
  expect((await putDelivery(two, deliveryId, delivery)).status).toBe(200);
  const moved = { ...delivery, status: "picked_up" };
  expect((await putDelivery(two, deliveryId, moved)).status).toBe(200);
  expect((await getDelivery(deliveryId, await backend(), two)).body).toMatchObject(moved);
});

test("T3: status only moves forward, whichever replica is asked", async () => {
  const [one, two] = tracking.fanout;
  const { deliveryId, delivery } = await storeDelivery(one, { status: "arriving" });
  const put = async (status: string, service = two) =>
    (await putDelivery(service, deliveryId, { ...delivery, status })).status;
  expect(await put("assigned")).toBe(409);
  expect(await put("picked_up")).toBe(409);
  expect(await put("delivered")).toBe(200);
  for (const status of ["assigned", "picked_up", "arriving", "cancelled"]) {
    expect(await put(status, one)).toBe(409);
  }
  expect(await put("delivered", one)).toBe(200);
  expect((await getDelivery(deliveryId, await backend())).body.status).toBe("delivered");
});

test("T3: a delivery may be cancelled until it is over, and then nothing reopens it", async () => {
  const [one] = tracking.fanout;
  const { deliveryId, delivery } = await storeDelivery(one);
  const cancelled = await putDelivery(one, deliveryId, { ...delivery, status: "cancelled" });
  expect(cancelled.status).toBe(200);
  const reopened = await putDelivery(one, deliveryId, delivery);
  expect(reopened.status).toBe(409);
  expect(await reopened.json()).toMatchObject({ code: "conflict" });
});

test("T3 T4: what one replica acknowledged another answers at once", async () => {
  const [one, two] = tracking.fanout;
  const token = await backend();
  for (let count = 0; count < 20; count += 1) {
    const { deliveryId } = await storeDelivery(one);
    expect((await getDelivery(deliveryId, token, two)).status).toBe(200);
  }
});

test.each([
  ["a field too many", { extra: 1 }],
  ["an unknown status", { status: "lost" }],
  ["a driver id that is none", { driverId: "a b" }],
  ["a destination off the globe", { destination: { lat: 91, lng: 0 } }],
  ["no order", { orderId: undefined }],
])("T3 G1 G3: a delivery with %s is a 400 and changes nothing", async (_, changes) => {
  const [one] = tracking.fanout;
  const { deliveryId, delivery } = newDelivery();
  const response = await putDelivery(one, deliveryId, { ...delivery, ...changes });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: "invalid-request" });
  expect((await getDelivery(deliveryId, await backend())).status).toBe(404);
});

test("G1: an id that is none is a 400, also as a wildcard of the bus", async () => {
  const [one] = tracking.fanout;
  const { delivery } = newDelivery();
  for (const deliveryId of ["*", ">", "a.b", "%3E", "x".repeat(65)]) {
    expect((await putDelivery(one, deliveryId, delivery)).status).toBe(400);
    expect((await getDelivery(deliveryId, await backend())).status).toBe(400);
  }
});

test("A6: only a service writes deliveries", async () => {
  const [one] = tracking.fanout;
  const { deliveryId, delivery } = newDelivery();
  for (const role of ["buyer", "vendor", "driver"] as const) {
    const token = await tokenFor({ role, sub: delivery.buyerId, vendors: [delivery.vendorId] });
    expect((await putDelivery(one, deliveryId, delivery, token)).status).toBe(403);
  }
  expect((await putDelivery(one, deliveryId, delivery, "a.b.c")).status).toBe(401);
});

test("T4 A6: its buyer, its vendor and services read a delivery; to others it does not exist", async () => {
  const [one] = tracking.fanout;
  const { deliveryId, delivery } = await storeDelivery(one);
  const { buyerId, vendorId, driverId } = delivery;
  const statusFor = async (...args: Parameters<typeof tokenFor>) =>
    (await getDelivery(deliveryId, await tokenFor(...args))).status;
  expect(await statusFor({ role: "buyer", sub: buyerId })).toBe(200);
  expect(await statusFor({ role: "vendor", sub: "staff", vendors: ["v", vendorId] })).toBe(200);
  expect(await statusFor({ role: "service", sub: "backend" })).toBe(200);
  expect(await statusFor({ role: "buyer", sub: "another" })).toBe(404);
  expect(await statusFor({ role: "vendor", sub: "staff", vendors: ["v"] })).toBe(404);
  // The ids are of different kinds: a buyer is no vendor of the same name.
  expect(await statusFor({ role: "buyer", sub: vendorId })).toBe(404);
  expect(await statusFor({ role: "vendor", sub: buyerId, vendors: [buyerId] })).toBe(404);
  expect(await statusFor({ role: "driver", sub: driverId })).toBe(403);
  const unknown = await getDelivery("unknown", await tokenFor({ role: "buyer", sub: buyerId }));
  const foreign = await getDelivery(deliveryId, await tokenFor({ role: "buyer", sub: "another" }));
  expect(foreign).toEqual(unknown);
});

test("T4 T9: a delivery comes with its driver: lost without a fix, live with one, stale with an old one", async () => {
  const [one] = tracking.fanout;
  const { deliveryId, delivery } = await storeDelivery(one);
  const token = await tokenFor({ role: "buyer", sub: delivery.buyerId });
  const { body } = await getDelivery(deliveryId, token);
  expect(body).toEqual({
    deliveryId,
    ...delivery,
    driver: { state: "lost", position: null, fixAt: null },
  });
  const oldAt = timeAgo(20_000);
  await postFix(tracking.ingest[0], delivery.driverId, { lat: 1, recordedAt: oldAt });
  expect((await getDelivery(deliveryId, token)).body.driver).toMatchObject({
    state: "stale",
    fixAt: oldAt,
    position: { lat: 1, lng: 11.97, recordedAt: oldAt, heading: null },
  });
  const newAt = timeAgo(1_000);
  await postFix(tracking.ingest[1], delivery.driverId, { lat: 2, recordedAt: newAt });
  expect((await getDelivery(deliveryId, token)).body.driver).toMatchObject({
    state: "live",
    fixAt: newAt,
    position: { lat: 2 },
  });
});

test("T4: where a driver is after the delivery is over is not told", async () => {
  const [one] = tracking.fanout;
  const { deliveryId, delivery } = await storeDelivery(one);
  await postFix(tracking.ingest[0], delivery.driverId, {});
  await putDelivery(one, deliveryId, { ...delivery, status: "delivered" });
  const token = await tokenFor({ role: "buyer", sub: delivery.buyerId });
  await until(async () => (await getDelivery(deliveryId, token)).body.status === "delivered", {
    what: "the other replica knows",
  });
  expect((await getDelivery(deliveryId, token)).body.driver).toEqual({
    state: "lost",
    position: null,
    fixAt: null,
  });
});

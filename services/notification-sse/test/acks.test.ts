import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { ensureStreams } from "@localstreet/bus/streams";
import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { acknowledgedSchema, statusStoredSchema } from "@localstreet/contracts/order-answers";
import { problemDetailsSchema } from "@localstreet/contracts/problem";
import { vendorEventSchemas } from "@localstreet/contracts/vendor-events";
import type { EventStream } from "@localstreet/testkit/sse-client";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { acknowledge, postStatus, staffToken } from "./order-requests.ts";
import {
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

const kim = personIdSchema.parse("kim");

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification();
});
afterAll(() => notification.stop());

async function placeOrder(vendorId: string): Promise<string> {
  const order = newOrder();
  await storeOrder(notification.replicas[0], vendorId, order);
  return order.orderId;
}

async function acked(response: Response) {
  expect(response.status).toBe(200);
  return acknowledgedSchema.parse(await response.json());
}

async function updated(response: Response) {
  expect(response.status).toBe(202);
  return statusStoredSchema.parse(await response.json());
}

async function lostTo(response: Response) {
  expect(response.status).toBe(409);
  const { code, winner } = problemDetailsSchema.parse(await response.json());
  expect(code).toBe("already-decided");
  return winner;
}

function acknowledgementsOf(stream: EventStream) {
  return stream.events
    .filter(({ event }) => event === "order-acknowledged")
    .map(({ data }) => vendorEventSchemas["order-acknowledged"].parse(JSON.parse(data)));
}

test("S20: received and seen reach every device, once each, whoever says them again", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const orderId = await placeOrder(vendorId);
  const streams = await Promise.all([one, two].map((r) => openVendorStream(r, vendorId)));
  const ids: (string | null)[] = [];
  for (const state of ["received", "seen"] as const) {
    const first = await acked(await acknowledge(one, vendorId, orderId, state, "sam"));
    expect(first).toEqual({ id: expect.any(String), state, duplicate: false });
    ids.push(first.id);
    for (const by of ["sam", "kim"]) {
      const again = await acked(await acknowledge(two, vendorId, orderId, state, by));
      expect(again).toMatchObject({ state, duplicate: true });
    }
  }
  await acked(await acknowledge(two, vendorId, orderId, "accepted", "kim"));
  for (const stream of streams) {
    await stream.next(({ data }) => data.includes('"accepted"'));
    const events = stream.events.filter(({ event }) => event === "order-acknowledged");
    expect(events.slice(0, 2).map(({ id }) => id)).toEqual(ids);
    expect(acknowledgementsOf(stream)).toMatchObject([
      { orderId, vendorId, state: "received", by: "sam" },
      { orderId, vendorId, state: "seen", by: "sam" },
      { orderId, vendorId, state: "accepted", by: "kim" },
    ]);
    stream.close();
  }
});

test("S21: of two that answer at the same moment over two replicas one wins, and the other learns who, a hundred times", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const streams = await Promise.all([one, two].map((r) => openVendorStream(r, vendorId)));
  const orders = Array.from({ length: 100 }, () => newOrder());
  await Promise.all(orders.map((order) => storeOrder(one, vendorId, order)));
  const winners: Record<string, { state: string; by: string }> = {};

  async function race(orderId: string): Promise<void> {
    const sides = [
      { replica: one, state: "accepted", by: "sam" },
      { replica: two, state: "rejected", by: "kim" },
    ] as const;
    const answers = await Promise.all(
      sides.map(({ replica, state, by }) => acknowledge(replica, vendorId, orderId, state, by)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const won = answers[0]?.status === 200 ? 0 : 1;
    const { state, by } = sides[won];
    expect(await acked(answers[won] as Response)).toMatchObject({ state, duplicate: false });
    expect(await lostTo(answers[1 - won] as Response)).toMatchObject({ state, by });
    winners[orderId] = { state, by };
  }
  const waiting = orders.map(({ orderId }) => orderId);
  const racer = async () => {
    for (let orderId = waiting.pop(); orderId; orderId = waiting.pop()) await race(orderId);
  };
  await Promise.all(Array.from({ length: 4 }, racer));

  for (const stream of streams) {
    await until(() => acknowledgementsOf(stream).length >= 100, { what: "all answers" });
    const told = acknowledgementsOf(stream);
    expect(told).toHaveLength(100);
    expect(
      Object.fromEntries(told.map(({ orderId, state, by }) => [orderId, { state, by }])),
    ).toEqual(winners);
    stream.close();
  }
}, 60_000);

test("S21: the same answer again is no other, from whichever device, and another one learns the first", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const orderId = await placeOrder(vendorId);
  const first = await acked(await acknowledge(one, vendorId, orderId, "rejected", "sam"));
  for (const [replica, by] of [
    [one, "sam"],
    [two, "kim"],
  ] as const) {
    const again = await acked(await acknowledge(replica, vendorId, orderId, "rejected", by));
    expect(again).toMatchObject({ state: "rejected", duplicate: true });
    expect([first.id, null]).toContain(again.id);
  }
  const winner = await lostTo(await acknowledge(two, vendorId, orderId, "accepted", "kim"));
  expect(winner).toEqual({ state: "rejected", by: "sam", at: expect.any(String) });
});

test("S21 S23: a backend's answer and an expiry win as a device's does", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const byBackend = await placeOrder(vendorId);
  expect(await updated(await postStatus(one, vendorId, byBackend, "accepted"))).toMatchObject({
    status: "accepted",
    duplicate: false,
  });
  expect(await lostTo(await acknowledge(two, vendorId, byBackend, "rejected"))).toMatchObject({
    state: "accepted",
    by: null,
  });
  expect(await acked(await acknowledge(two, vendorId, byBackend, "accepted"))).toMatchObject({
    duplicate: true,
  });

  const expired = await placeOrder(vendorId);
  const at = new Date().toISOString();
  const ids = { vendorId: vendorIdSchema.parse(vendorId), orderId: orderIdSchema.parse(expired) };
  await publishVendorEvent(notification.bus, {
    vendorId: ids.vendorId,
    kind: "order-expired",
    data: { ...ids, at, placedAt: at },
  });
  for (const state of ["accepted", "rejected"] as const) {
    const winner = await lostTo(await acknowledge(one, vendorId, expired, state));
    expect(winner).toEqual({ state: "expired", by: null, at: expect.any(String) });
    expect(await lostTo(await postStatus(two, vendorId, expired, state))).toMatchObject({
      state: "expired",
    });
  }

  const byVendor = await placeOrder(vendorId);
  await acked(await acknowledge(one, vendorId, byVendor, "accepted", "kim"));
  expect(await lostTo(await postStatus(two, vendorId, byVendor, "rejected"))).toMatchObject({
    state: "accepted",
    by: "kim",
  });
  expect(await updated(await postStatus(two, vendorId, byVendor, "accepted"))).toMatchObject({
    duplicate: true,
  });
});

test("S22 A6: an order that does not exist, another's, and one that was placed this moment", async () => {
  const [one, two] = notification.replicas;
  const [vendorId, other] = [newVendor(), newVendor()];
  const theirs = await placeOrder(other);
  for (const state of ["received", "accepted"] as const) {
    for (const orderId of ["never-placed", theirs]) {
      const response = await acknowledge(two, vendorId, orderId, state);
      expect([orderId, response.status]).toEqual([orderId, 404]);
    }
    const foreign = await fetch(`${one.url}/api/vendor/${other}/orders/${theirs}/ack`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await staffToken(vendorId)}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ state }),
    });
    expect(foreign.status).toBe(404);
  }
  // However far the record is behind: what was acknowledged is there.
  for (let round = 0; round < 20; round += 1) {
    const orderId = await placeOrder(vendorId);
    await acked(await acknowledge(two, vendorId, orderId, "received"));
  }
});

test("S20 S23 A6: who may say what, and what is malformed", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const orderId = await placeOrder(vendorId);
  const path = `${one.url}/api/vendor/${vendorId}/orders/${orderId}`;
  const service = await tokenFor({ role: "service", sub: "backend" });
  const staff = await staffToken(vendorId);
  const post = async (what: string, token: string, body: unknown) => {
    const response = await fetch(`${path}/${what}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return response.status;
  };
  expect(await post("ack", service, { state: "seen" })).toBe(403);
  expect(await post("status", staff, { status: "ready" })).toBe(403);
  for (const state of ["expired", "Seen", "", null]) {
    expect(await post("ack", staff, { state })).toBe(400);
  }
  for (const status of ["placed", "expired", "done", null]) {
    expect(await post("status", service, { status })).toBe(400);
  }
  expect(await post("ack", staff, { state: "seen", by: "boss" })).toBe(400);
  expect(await post("status", service, { status: "ready", eventId: "a.b" })).toBe(400);
  expect((await acknowledge(one, vendorId, "a.b", "seen")).status).toBe(400);
});

test("S23: a status is told once, and again only under another eventId", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const orderId = await placeOrder(vendorId);
  const stream = await openVendorStream(two, vendorId);
  const first = await updated(await postStatus(one, vendorId, orderId, "preparing"));
  expect(first.duplicate).toBe(false);
  const again = await updated(await postStatus(two, vendorId, orderId, "preparing"));
  expect(again).toEqual({ id: first.id, status: "preparing", duplicate: true });
  const named = await updated(await postStatus(one, vendorId, orderId, "preparing", "note-1"));
  expect(named.duplicate).toBe(false);
  const namedAgain = await updated(await postStatus(two, vendorId, orderId, "preparing", "note-1"));
  expect(namedAgain).toEqual({ ...named, duplicate: true });
  const clash = await postStatus(two, vendorId, orderId, "ready", "note-1");
  expect(clash.status).toBe(409);
  expect(await clash.json()).toMatchObject({ code: "conflict" });
  const last = await updated(await postStatus(one, vendorId, orderId, "ready"));
  await stream.next(({ id }) => id === last.id);
  const updates = stream.events.filter(({ event }) => event === "order-updated");
  expect(updates.slice(1).map(({ id }) => id)).toEqual([first.id, named.id, last.id]);
  // What is being prepared was accepted, and every device is told so.
  expect(updates.map(({ data }) => JSON.parse(data).status)).toEqual([
    "accepted",
    "preparing",
    "preparing",
    "ready",
  ]);
  stream.close();
});

test("S24: who answers a cancelled order is told that it is cancelled, and its devices know", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const stream = await openVendorStream(two, vendorId);
  const orderId = await placeOrder(vendorId);
  const cancelled = await updated(await postStatus(one, vendorId, orderId, "cancelled"));
  const winner = await lostTo(await acknowledge(two, vendorId, orderId, "accepted"));
  expect(winner).toEqual({ state: "cancelled", by: null, at: expect.any(String) });
  expect((await stream.next(({ event }) => event === "order-updated")).id).toBe(cancelled.id);

  // Also one that was accepted before: the same answer would be no use to anybody.
  const accepted = await placeOrder(vendorId);
  await acked(await acknowledge(one, vendorId, accepted, "accepted"));
  await updated(await postStatus(two, vendorId, accepted, "cancelled"));
  const late = await lostTo(await acknowledge(two, vendorId, accepted, "accepted"));
  expect(late).toMatchObject({ state: "cancelled" });
  stream.close();
});

test("S29: what the log has forgotten the record remembers: no order is decided twice", async () => {
  const [one, two] = notification.replicas;
  const vendorId = vendorIdSchema.parse(newVendor());
  const orderId = orderIdSchema.parse(await placeOrder(vendorId));
  const stream = await openVendorStream(one, vendorId);
  await ensureStreams(notification.bus, { duplicateWindowSeconds: 1 });
  await acked(await acknowledge(one, vendorId, orderId, "received"));
  await acked(await acknowledge(one, vendorId, orderId, "accepted", "kim"));
  const receivedAgain = () =>
    publishVendorEvent(notification.bus, {
      vendorId,
      kind: "order-acknowledged",
      data: { vendorId, orderId, at: new Date().toISOString(), state: "received", by: kim },
    });
  await until(async () => (await receivedAgain()).status === "stored", {
    what: "the log has forgotten",
    timeoutMs: 10_000,
  });
  expect(await lostTo(await acknowledge(two, vendorId, orderId, "rejected"))).toMatchObject({
    state: "accepted",
    by: "kim",
  });
  expect(await lostTo(await postStatus(two, vendorId, orderId, "rejected"))).toMatchObject({
    state: "accepted",
  });
  for (const state of ["accepted", "received"] as const) {
    expect(await acked(await acknowledge(two, vendorId, orderId, state))).toEqual({
      id: null,
      state,
      duplicate: true,
    });
  }
  await storeOrder(one, vendorId);
  await stream.next(({ event }) => event === "new-order");
  // The second one is the test's own.
  expect(acknowledgementsOf(stream).map(({ state }) => state)).toEqual([
    "received",
    "accepted",
    "received",
  ]);
  stream.close();
  await ensureStreams(notification.bus);
});

test("S22 S21: while Postgres is away an answer is taken, and the log decides who was first", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const stream = await openVendorStream(one, vendorId);
  const orderId = await placeOrder(vendorId);
  await notification.stores.postgres.kill();
  const startedMs = performance.now();
  const answers = await Promise.all([
    acknowledge(one, vendorId, orderId, "accepted", "sam"),
    acknowledge(two, vendorId, orderId, "rejected", "kim"),
  ]);
  expect(performance.now() - startedMs).toBeLessThan(4_000);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  await stream.next(({ event }) => event === "order-acknowledged");
  // Nobody can tell whether there is such an order.
  await acked(await acknowledge(one, vendorId, "never-placed", "received"));
  await notification.stores.postgres.start();
  await until(
    async () => (await acknowledge(one, vendorId, "neither-placed", "received")).status === 404,
    { what: "orders are looked up again", timeoutMs: 15_000 },
  );
  stream.close();
});

import { notificationsPageSchema } from "@localstreet/contracts/vendor-events";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  isOrder,
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  ordersOf,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification({ LIST_EVENTS: "5", LAST_EVENTS: "3" });
});
afterAll(() => notification.stop());

type Replica = Notification["replicas"][number];

async function request(replica: Replica, vendorId: string, query = "", signal?: AbortSignal) {
  const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
  return await fetch(`${replica.url}/api/vendor/${vendorId}/notifications${query}`, {
    headers: { authorization: `Bearer ${token}` },
    ...(signal ? { signal } : {}),
  });
}

async function list(replica: Replica, vendorId: string, query = "") {
  const response = await request(replica, vendorId, query);
  expect(response.status).toBe(200);
  expect(response.headers.get("cache-control")).toBe("no-store");
  const page = notificationsPageSchema.parse(await response.json());
  const orderIds = page.events.map(({ data }) => (data as { orderId: string }).orderId);
  return { ...page, orderIds };
}

async function storeOrders(replica: Replica, vendorId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 1; n <= count; n++) {
    ids.push(await storeOrder(replica, vendorId, newOrder({ orderId: `${vendorId}-${n}` })));
  }
  return ids;
}

test("S15: pages of the list and the stream have the same events with the same ids", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const start = await list(one, vendorId);
  expect(start).toMatchObject({ resume: { status: "fresh", from: null }, events: [], more: false });
  const stream = await openVendorStream(two, vendorId);
  await storeOrders(one, vendorId, 12);
  await until(() => stream.events.filter(isOrder).length === 12, { what: "the stream" });

  const got: unknown[] = [];
  let after = start.resume.to;
  for (const [length, more] of [
    [5, true],
    [5, true],
    [2, false],
    [0, false],
  ] as const) {
    // From memory where the stream is, and from the log or memory elsewhere.
    const page = await list(got.length % 2 === 0 ? two : one, vendorId, `?after=${after}`);
    expect(page).toMatchObject({ resume: { status: "complete", from: after }, more });
    expect(page.events).toHaveLength(length);
    got.push(...page.events);
    after = page.resume.to;
  }
  expect(got).toEqual(
    stream.events
      .filter(isOrder)
      .map(({ id, event, data }) => ({ id, event, data: JSON.parse(data) })),
  );
  // And an id of the list is one of the stream's.
  const again = await openVendorStream(one, vendorId, { lastEventId: after });
  expect(again.resume).toMatchObject({ status: "complete", replayed: 0 });
  again.close();
  stream.close();
});

test("S15 S8: the list tells the verdicts of the stream, and refuses whom the stream refuses", async () => {
  const [one] = notification.replicas;
  const [vendorId, other] = [newVendor(), newVendor()];
  const [, second] = await storeOrders(one, vendorId, 2);
  for (const after of ["garbage", `${second}&after=${second}`, "aaaaaaaa-1-000000"]) {
    const page = await list(one, vendorId, `?after=${after}&wait=5`);
    expect(page).toMatchObject({ resume: { status: "reset", from: null, to: second }, events: [] });
  }
  const foreign = await list(one, other, `?after=${second}`);
  expect(foreign.resume.status).toBe("reset");

  const limited = await list(one, vendorId, "?last=2&limit=1");
  expect(limited.orderIds).toEqual([`${vendorId}-2`]);
  for (const query of ["?limit=0", "?limit=x", "?wait=-1", "?last=-1"]) {
    expect((await request(one, vendorId, query)).status).toBe(400);
  }
  const url = `${one.url}/api/vendor/${vendorId}/notifications`;
  expect((await fetch(url)).status).toBe(401);
  const as = async (claims: Parameters<typeof tokenFor>[0]) =>
    (await fetch(url, { headers: { authorization: `Bearer ${await tokenFor(claims)}` } })).status;
  expect(await as({ role: "buyer", sub: "b" })).toBe(403);
  expect(await as({ role: "vendor", sub: "s", vendors: [other] })).toBe(404);
});

test("S15: a list that waits ends with the first event, with its time, with its client and with the replica", async () => {
  const replica = await notification.startReplica({ LIST_WAIT_MS: "300" });
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const waiting = list(one, vendorId, "?wait=20");
  await until(async () => (await followers(one)) === 1, { what: "the long poll" });
  const id = await storeOrder(one, vendorId, newOrder({ orderId: "rings" }));
  expect(await waiting).toMatchObject({
    resume: { status: "fresh", to: id },
    orderIds: ["rings"],
    more: false,
  });

  const startedAtMs = performance.now();
  const quiet = await list(replica, vendorId, `?after=${id}&wait=20`);
  expect(quiet).toMatchObject({ resume: { status: "complete", to: id }, events: [] });
  expect(performance.now() - startedAtMs).toBeGreaterThan(250);
  expect(performance.now() - startedAtMs).toBeLessThan(5_000);

  // A client that goes lets go of its subscription.
  const gone = new AbortController();
  const aborted = request(one, newVendor(), "?wait=20", gone.signal).catch(() => "gone");
  await until(async () => (await followers(one)) === 1, { what: "a long poll" });
  gone.abort();
  expect(await aborted).toBe("gone");
  await until(async () => (await followers(one)) === 0, { what: "the end of the long poll" });

  const drained = await notification.startReplica();
  const last = list(drained, vendorId, `?after=${id}&wait=20`);
  await until(async () => (await followers(drained)) === 1, { what: "the last long poll" });
  await drained.drain(10);
  expect(await last).toMatchObject({ resume: { to: id }, events: [] });
});

test("S14: ?last=N brings the newest events first, as fresh, from memory and from the log; an id goes before it", async () => {
  const [one, two] = notification.replicas;
  const [vendorId, other] = [newVendor(), newVendor()];
  const watching = await openVendorStream(two, vendorId);
  const ids: string[] = [];
  for (let n = 1; n <= 8; n++) {
    ids.push(await storeOrder(one, vendorId, newOrder({ orderId: `last-${n}` })));
    if (n % 2 === 0) await storeOrders(one, newVendor(), 3);
  }
  await storeOrders(one, other, 2);
  await until(() => ordersOf(watching).length === 8, { what: "the orders" });
  const unseen = await notification.startReplica({ LAST_EVENTS: "6" });
  for (const [replica, last, expected] of [
    [two, 2, ["last-7", "last-8"]],
    [unseen, 2, ["last-7", "last-8"]],
    [unseen, 6, ["last-3", "last-4", "last-5", "last-6", "last-7", "last-8"]],
    [two, 1_000, ["last-6", "last-7", "last-8"]],
    [two, 0, []],
  ] as const) {
    const stream = await openVendorStream(replica, vendorId, {
      path: `notifications/stream?last=${last}`,
    });
    expect(stream.resume).toMatchObject({ status: "fresh", replayed: expected.length });
    await until(() => ordersOf(stream).length === expected.length, { what: "the last orders" });
    expect(ordersOf(stream)).toEqual(expected);
    stream.close();
  }
  const few = await openVendorStream(unseen, other, { path: "notifications/stream?last=6" });
  expect(few.resume).toMatchObject({ status: "fresh", replayed: 2 });
  few.close();
  const known = await openVendorStream(unseen, vendorId, {
    path: "notifications/stream?last=6",
    lastEventId: ids[6] as string,
  });
  expect(known.resume).toMatchObject({ status: "complete", replayed: 1 });
  known.close();
  watching.close();
});

async function metric(replica: Replica, name: string): Promise<number> {
  const text = await (await fetch(`${replica.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1]);
}
const followers = (replica: Replica) => metric(replica, "localstreet_vendor_followers");

import { purgeStream } from "@localstreet/bus/stream-administration";
import { ensureStreams } from "@localstreet/bus/streams";
import { raise } from "@localstreet/contracts/raise";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  isOrder,
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  ordersOf,
  postOrder,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification();
});
afterAll(() => notification.stop());

test("S17 S3: a full log refuses orders and keeps all others, until there is room", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const vendorMaxBytes = 48 * 1024;
  await ensureStreams(notification.bus, { vendorMaxBytes });
  const watching = await openVendorStream(two, vendorId);
  const ids: string[] = [];
  const note = "x".repeat(900);
  let refused: Response | undefined;
  while (!refused) {
    const order = newOrder({ orderId: `full-${ids.length}`, note });
    const response = await postOrder(one, vendorId, order);
    if (response.status === 202) ids.push(((await response.json()) as { id: string }).id);
    else refused = response;
    expect(ids.length).toBeLessThan(100);
  }
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ code: "unavailable" });

  // Nothing was dropped to make room, and whoever listens or comes back is served.
  await until(() => ordersOf(watching).length === ids.length, { what: "what was stored" });
  expect(watching.events.filter(isOrder).map(({ id }) => id)).toEqual(ids);
  const again = await openVendorStream(one, vendorId, { lastEventId: ids[0] as string });
  expect(again.resume).toMatchObject({ status: "complete", replayed: ids.length - 1 });
  again.close();

  // What was refused is taken once there is room: here by a larger limit, then by a purge of the oldest.
  await ensureStreams(notification.bus, { vendorMaxBytes: vendorMaxBytes + 16 * 1024 });
  const order = newOrder({ orderId: `full-${ids.length}`, note });
  ids.push(await storeOrder(one, vendorId, order));
  await watching.next((event) => event.id === ids.at(-1));

  await purgeStream(notification.bus, VENDOR_STREAM, 5);
  await ensureStreams(notification.bus, { vendorMaxBytes });
  ids.push(await storeOrder(one, vendorId, newOrder({ orderId: "after-the-purge", note })));
  await watching.next((event) => event.id === ids.at(-1));
  expect(watching.events.filter(isOrder).map(({ id }) => id)).toEqual(ids);

  // What was purged is gone, and every replica says so, one that remembers it too.
  const unseen = await notification.startReplica();
  for (const replica of [unseen, two]) {
    const behind = await openVendorStream(replica, vendorId, { lastEventId: ids[0] as string });
    expect(behind.resume).toMatchObject({ status: "gap", replayed: 6 });
    behind.close();
  }
  watching.close();

  const metrics = await (await fetch(`${unseen.adminUrl}/metrics`)).text();
  const metric = (name: string) =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(metrics)?.[1]);
  expect(metric("localstreet_log_max_bytes")).toBe(vendorMaxBytes);
  expect(metric("localstreet_log_bytes")).toBeGreaterThan(5_000);
  expect(metric("localstreet_log_bytes")).toBeLessThan(vendorMaxBytes);
  expect(metric("localstreet_log_oldest_event_seconds")).toBeLessThan(60);
});

test("S13 S3: past the bound of publishes in flight an order is refused at once, and taken when there is room", async () => {
  const replica = await notification.startReplica({ PUBLISHES_IN_FLIGHT: "2" });
  const vendorId = newVendor();
  // The stream's epoch is known from then on.
  await storeOrder(replica, vendorId);
  notification.stores.nats.freeze();
  const startedAtMs = performance.now();
  const answers = Array.from({ length: 6 }, async () => {
    const order = newOrder();
    const response = await postOrder(replica, vendorId, order);
    return { order, response, afterMs: performance.now() - startedAtMs };
  });
  const refused: Awaited<(typeof answers)[number]>[] = [];
  for (const answer of answers) {
    answer.then((settled) => refused.push(settled)).catch(raise);
  }
  await until(() => refused.length === 4, { what: "four refusals", timeoutMs: 3_000 });
  for (const { response, afterMs } of refused) {
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(afterMs).toBeLessThan(3_000);
  }
  const again = refused.map(({ order }) => order);
  notification.stores.nats.thaw();
  const statuses = (await Promise.all(answers)).map(({ response }) => response.status);
  expect(statuses.filter((status) => status === 202)).toHaveLength(2);
  for (const order of again) await storeOrder(replica, vendorId, order);
});

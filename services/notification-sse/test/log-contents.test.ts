import { once } from "node:events";
import { connect } from "node:net";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publishRaw } from "./publish-raw.ts";
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
  notification = await startNotification();
});
afterAll(() => notification.stop());

test("S5: line breaks in what somebody published straight to the bus stay inside one event", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const live = await openVendorStream(one, vendorId);
  const order = { ...newOrder(), vendorId, placedAt: new Date().toISOString() };
  const hostile = [
    ["pretty", JSON.stringify(order, null, 2)],
    ["cr", `{"orderId":"a",\r\r"x":"y"}`],
    ["crlf", `{}\r\n\r\nevent: new-order\r\nid: fake\r\ndata: {"orderId":"fake"}\r\n\r\n`],
    ["lf", `\n\nretry: 1\nid\n\n`],
    ["colon", `:\n:\n`],
  ] as const;
  for (const [key, data] of hostile)
    await publishRaw(notification, vendorId, `${vendorId}:new-order:${key}`, data);
  await until(() => live.events.filter(isOrder).length === hostile.length, { what: "the events" });

  const replayed = await openVendorStream(two, vendorId, { lastEventId: live.resume.to });
  expect(replayed.resume).toMatchObject({ status: "complete", replayed: hostile.length });
  await until(() => replayed.events.filter(isOrder).length === hostile.length, {
    what: "a replay",
  });
  for (const stream of [live, replayed]) {
    const events = stream.events.filter(isOrder);
    // A client reads each of CR, LF and CRLF as one LF.
    expect(events.map(({ data }) => data)).toEqual(
      hostile.map(([, data]) => data.replace(/\r\n|\r/g, "\n")),
    );
    expect(new Set(events.map(({ id }) => id)).size).toBe(hostile.length);
    expect(events.some(({ id }) => id === "fake" || id === "")).toBe(false);
    expect(stream.events.every(({ event }) => event === "new-order" || event === "resume")).toBe(
      true,
    );
    expect(stream.retries).toHaveLength(1);
    stream.close();
  }
});

test("S5 S6: a message in the log that is no event is passed over, live and in a replay, and counted", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const live = await openVendorStream(one, vendorId);
  for (const messageId of [null, "x", "a:b", "::", `${vendorId}:NEW ORDER:1`]) {
    await publishRaw(notification, vendorId, messageId, `{"orderId":"none"}`);
  }
  await storeOrder(one, vendorId, newOrder({ orderId: "real" }));
  await live.next(isOrder);
  expect(ordersOf(live)).toEqual(["real"]);

  const replayed = await openVendorStream(two, vendorId, { lastEventId: live.resume.to });
  expect(replayed.resume).toMatchObject({ status: "complete", replayed: 1 });
  await replayed.next(isOrder);
  expect(ordersOf(replayed)).toEqual(["real"]);
  const metrics = await (await fetch(`${one.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/^localstreet_foreign_events_total\{.*\} 5$/m);
  live.close();
  replayed.close();
});

test("S8: an id that is given twice, or not as text, is reset; the header goes before the query", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const id = await storeOrder(one, vendorId);
  for (const query of [`lastEventId=${id}&lastEventId=${id}`, "lastEventId=%00%FF"]) {
    const stream = await openVendorStream(one, vendorId, { path: `notifications/stream?${query}` });
    expect([query, stream.resume.status]).toEqual([query, "reset"]);
    stream.close();
  }
  const stream = await openVendorStream(one, vendorId, {
    path: "notifications/stream?lastEventId=garbage",
    lastEventId: id,
  });
  expect(stream.resume).toMatchObject({ status: "complete", replayed: 0 });
  stream.close();
});

test("S6 S9: a history many times the outbox goes out to a slow client whole, while orders come in", async () => {
  const replica = await notification.startReplica({ OUTBOX_BYTES: String(512 * 1024) });
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const { resume, close } = await openVendorStream(one, vendorId);
  close();
  const note = "x".repeat(1_000);
  const items = Array.from({ length: 66 }, () => ({
    name: "y".repeat(180),
    quantity: 1,
    unitPrice: 1,
  }));
  const missed = 500;
  for (let i = 0; i < missed; i += 50) {
    await Promise.all(
      Array.from({ length: 50 }, () => storeOrder(one, vendorId, newOrder({ note, items }))),
    );
  }

  const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
  const { hostname, port } = new URL(replica.url);
  const client = connect(Number(port), hostname);
  const received: Buffer[] = [];
  client.on("data", (data) => received.push(data));
  client.write(
    `GET /api/vendor/${vendorId}/notifications/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nLast-Event-ID: ${resume.to}\r\n\r\n`,
  );
  await once(client, "data");
  client.pause();
  // The kernel takes 4 MB for a client that does not read. The rest of the history waits, and live events behind it.
  const liveIds: string[] = [];
  for (let i = 0; i < 150; i++) liveIds.push(await storeOrder(one, vendorId, newOrder({ note })));
  client.resume();
  await until(() => String(Buffer.concat(received.slice(-8))).includes(`id: ${liveIds.at(-1)}\n`), {
    what: "the last order",
    timeoutMs: 15_000,
  });
  const text = String(Buffer.concat(received));
  const sequences = [...text.matchAll(/^id: \w+-(\d+)-\w+\nevent: new-order$/gm)].map((m) =>
    Number(m[1]),
  );
  expect(sequences).toHaveLength(missed + liveIds.length);
  expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
  expect(new Set(sequences).size).toBe(sequences.length);
  const metrics = await (await fetch(`${replica.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/^localstreet_streams_cut_total\{.*\} 0$/m);
  client.destroy();
});

test("S12 S8: an activity stream resumes as the other does", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const path = "activity/stream";
  const first = await openVendorStream(one, vendorId, { path });
  first.close();
  await storeOrder(one, vendorId, newOrder({ orderId: "missed" }));
  const again = await openVendorStream(two, vendorId, { path, lastEventId: first.resume.to });
  expect(again.resume).toMatchObject({ status: "complete", replayed: 1 });
  await again.next(isOrder);
  expect(ordersOf(again)).toEqual(["missed"]);
  again.close();
});

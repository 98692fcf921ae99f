import { once } from "node:events";
import { connect } from "node:net";
import { openActivityLog } from "@localstreet/bus/activity-log";
import { openDeliveries } from "@localstreet/bus/deliveries";
import { chatMessageSchema } from "@localstreet/contracts/chat";
import {
  type ActivityEvent,
  activityEventSchema,
  type Summary,
  summarySchema,
} from "@localstreet/contracts/dashboard";
import { deliveryIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { liveChatSubject } from "@localstreet/contracts/subjects";
import { type DeliveryStatus, deliverySchema } from "@localstreet/contracts/tracking";
import { openPool, type Pool } from "@localstreet/db/pool";
import type { RunningService } from "@localstreet/service-kit/service";
import type { EventStream } from "@localstreet/testkit/sse-client";
import { BROKEN_TEXTS } from "@localstreet/testkit/test-data";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSummaries } from "../src/dashboard/summaries.ts";
import {
  isOrder,
  type Notification,
  newVendor,
  openVendorStream,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

const quickly = { SUMMARY_REFRESH_MS: "100" };
let notification: Notification;
let record: Pool;
beforeAll(async () => {
  notification = await startNotification(quickly);
  record = openPool({ url: notification.stores.postgres.url("admin", "localstreet") });
});
afterAll(async () => {
  await record?.end();
  await notification.stop();
});

const openDashboard = (service: RunningService, vendorId: string) =>
  openVendorStream(service, vendorId, { path: "activity/stream" });

const isSummary = ({ event }: { event: string }) => event === "summary";

/** The summaries that a stream has brought so far. */
function summariesOf(stream: EventStream): Summary[] {
  return stream.events.filter(isSummary).map(({ data }) => summarySchema.parse(JSON.parse(data)));
}

async function untilSummary(stream: EventStream, wanted: Partial<Summary>): Promise<Summary> {
  let last: Summary | undefined;
  await until(
    () => {
      last = summariesOf(stream).at(-1);
      return last !== undefined && contains(last, wanted);
    },
    { what: `a summary with ${JSON.stringify(wanted)}`, timeoutMs: 10_000 },
  );
  return last as Summary;
}

function contains(summary: Summary, wanted: Partial<Summary>): boolean {
  const entries = Object.entries(wanted) as [keyof Summary, unknown][];
  return entries.every(([key, value]) => JSON.stringify(summary[key]) === JSON.stringify(value));
}

/** The lines that a stream has brought so far. */
function linesOf(stream: EventStream): ActivityEvent[] {
  return stream.events
    .filter(({ event }) => event === "activity")
    .map(({ data }) => activityEventSchema.parse(JSON.parse(data)));
}

async function send(
  method: "POST" | "PUT",
  path: string,
  body: unknown,
  role: "service" | "vendor" = "service",
  replica = notification.replicas[0],
): Promise<Response> {
  const token = await tokenFor({ role, sub: "backend", vendors: [path.split("/")[0] as string] });
  return await fetch(`${replica.url}/api/vendor/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

let rows = 0;
/** An order as the projection would have it. */
async function recordOrder(
  vendorId: string,
  row: { status?: string; total?: number; currency?: string; placedAt?: Date } = {},
): Promise<void> {
  const { status = "placed", total = 1_000, currency = "SEK", placedAt = new Date() } = row;
  rows += 1;
  await record.query(
    `INSERT INTO orders (vendor_id, order_id, body, total, currency, placed_at, stored_at, sequence, history,
      applied_sequence, status) VALUES ($1, $2, '{}', $3, $4, $5, $5, 1, 0, 1, $6::order_status)`,
    [vendorId, `row-${rows}`, total, currency, placedAt, status],
  );
}

/** A conversation with messages from these sides, oldest first. */
async function recordChat(vendorId: string, sides: readonly string[]): Promise<void> {
  rows += 1;
  const conversationId = `c-${rows}`;
  await record.query(
    `INSERT INTO conversations (id, buyer_id, vendor_id, last_seq, last_at) VALUES ($1, $2, $3, $4, now())`,
    [conversationId, `buyer-${rows}`, vendorId, sides.length],
  );
  for (const [index, side] of sides.entries()) {
    await record.query(
      `INSERT INTO messages (id, conversation_id, seq, sender_id, side, content, client_message_id, created_at)
        VALUES ($1, $2, $3, 'someone', $4::chat_side, 'hello', $1, now())`,
      [`m-${rows}-${index}`, conversationId, index + 1, side],
    );
  }
}

async function putDelivery(vendorId: string, id: string, status: DeliveryStatus): Promise<void> {
  const deliveries = await openDeliveries(notification.bus);
  const delivery = deliverySchema.parse({
    driverId: "dan",
    buyerId: "ana",
    vendorId,
    orderId: `o-${id}`,
    destination: { lat: 57.7, lng: 11.97 },
    status,
  });
  await deliveries.put(deliveryIdSchema.parse(id), delivery);
  deliveries.close();
}

async function metric(service: RunningService, name: string): Promise<number> {
  const text = await (await fetch(`${service.adminUrl}/metrics`)).text();
  const lines = text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "gm"));
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}

describe("S38 S39: the summary", () => {
  test("S38: comes after resume, with every figure of the day, and is the same on every replica", async () => {
    const vendorId = newVendor();
    await recordOrder(vendorId, { total: 12_500 });
    await recordOrder(vendorId, { total: 500, status: "accepted" });
    await recordOrder(vendorId, { total: 900, currency: "EUR", status: "delivered" });
    for (const status of ["rejected", "cancelled", "expired"]) {
      await recordOrder(vendorId, { status });
    }
    const longAgo = new Date(Date.now() - 30 * 3_600_000);
    await recordOrder(vendorId, { placedAt: longAgo });
    await recordOrder(vendorId, { placedAt: longAgo, status: "accepted" });
    await recordOrder(newVendor());
    await recordChat(vendorId, ["buyer"]);
    await recordChat(vendorId, ["buyer", "vendor", "buyer"]);
    await recordChat(vendorId, ["buyer", "vendor"]);
    await putDelivery(vendorId, `${vendorId}-1`, "picked_up");
    await putDelivery(vendorId, `${vendorId}-2`, "delivered");
    const expected = {
      timeZone: "UTC",
      orders: 3,
      revenue: [
        { currency: "EUR", amount: 900 },
        { currency: "SEK", amount: 13_000 },
      ],
      openOrders: 2,
      unreadChats: 2,
      deliveriesUnderWay: 1,
      stale: false,
    };
    for (const replica of notification.replicas) {
      const stream = await openDashboard(replica, vendorId);
      const summary = await untilSummary(stream, expected);
      expect(summary.day).toBe(summary.asOf?.slice(0, 10));
      expect(stream.events.map(({ event }) => event).slice(0, 2)).toEqual(["resume", "summary"]);
      expect(stream.events.find(isSummary)?.id).toBe(stream.resume.to);
      stream.close();
    }
  });

  test("S38: is sent when a figure has changed, never without, and four times a second at most", async () => {
    const [replica] = notification.replicas;
    const vendorId = newVendor();
    const stream = await openDashboard(replica, vendorId);
    await untilSummary(stream, { openOrders: 0, devicesOnline: 1, deliveriesUnderWay: 0 });
    const before = summariesOf(stream).length;
    const computedBefore = await metric(replica, "localstreet_summaries_total");
    await until(
      async () => (await metric(replica, "localstreet_summaries_total")) > computedBefore + 5,
      { what: "five more were computed" },
    );
    expect(summariesOf(stream)).toHaveLength(before);

    const startedAtMs = performance.now();
    for (let number = 1; number <= 60; number += 1) {
      await recordOrder(vendorId);
      await storeOrder(replica, vendorId);
    }
    await until(() => (summariesOf(stream).at(-1)?.openOrders ?? 0) >= 60, { what: "all orders" });
    const tookMs = performance.now() - startedAtMs;
    const sent = summariesOf(stream).length - before;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual(Math.ceil(tookMs / 250) + 1);
    stream.close();
  });

  test("S38: is computed once for all dashboards of a vendor, and not without one", async () => {
    const replica = await notification.startReplica({ SUMMARY_REFRESH_MS: "60000" });
    const vendorId = newVendor();
    const streams = [];
    for (let number = 0; number < 20; number += 1) {
      streams.push(await openDashboard(replica, vendorId));
    }
    await Promise.all(streams.map((stream) => stream.next(isSummary)));
    await until(async () => (await metric(replica, "localstreet_dashboards_open")) === 20, {
      what: "20 dashboards",
    });
    const computed = await metric(replica, "localstreet_summaries_total");
    await recordOrder(vendorId);
    await storeOrder(replica, vendorId);
    await Promise.all(
      streams.map((stream) =>
        stream.next((event) => isSummary(event) && JSON.parse(event.data).openOrders > 0),
      ),
    );
    expect((await metric(replica, "localstreet_summaries_total")) - computed).toBeLessThan(8);
    for (const stream of streams) stream.close();
    await until(async () => (await metric(replica, "localstreet_dashboards_open")) === 0, {
      what: "no dashboard",
    });
  });

  test("S39: it soon holds what the stream has brought, on a replica that has just started as well", async () => {
    const [one, two] = notification.replicas;
    const vendorId = newVendor();
    const stream = await openDashboard(one, vendorId);
    await untilSummary(stream, { orders: 0 });
    await Promise.all(Array.from({ length: 5 }, () => storeOrder(two, vendorId)));
    const revenue = [{ currency: "SEK", amount: 35_000 }];
    await untilSummary(stream, { orders: 5, openOrders: 5, revenue });
    stream.close();
    const replica = await notification.startReplica(quickly);
    const again = await openDashboard(replica, vendorId);
    await untilSummary(again, { orders: 5, openOrders: 5, revenue });
    again.close();
  });

  test("S39: without Postgres it says that it is stale, events go on, and it comes back by itself", async () => {
    const { postgres } = notification.stores;
    const [replica] = notification.replicas;
    const vendorId = newVendor();
    await recordOrder(vendorId, { total: 700 });
    const stream = await openDashboard(replica, vendorId);
    const known = await untilSummary(stream, { openOrders: 1, stale: false });
    await postgres.kill();
    try {
      const stale = await untilSummary(stream, { stale: true });
      expect(stale).toMatchObject({ orders: 1, openOrders: 1, revenue: known.revenue });
      const id = await storeOrder(replica, vendorId);
      expect((await stream.next(isOrder)).id).toBe(id);
      const late = await openDashboard(replica, newVendor());
      expect(await untilSummary(late, { stale: true })).toMatchObject({
        orders: null,
        revenue: null,
        openOrders: null,
        unreadChats: null,
        deliveriesUnderWay: 0,
        asOf: null,
      });
      late.close();
    } finally {
      await postgres.start();
    }
    await recordOrder(vendorId, { total: 300, status: "accepted" }).catch(() =>
      recordOrder(vendorId, { total: 300, status: "accepted" }),
    );
    const back = await untilSummary(stream, { stale: false });
    expect(back.orders).toBeGreaterThanOrEqual(2);
    stream.close();
  });
});

describe("S40: the vendor's day", () => {
  test("S40: begins at midnight in the time zone that a backend has set for the vendor", async () => {
    const vendorId = newVendor();
    const stream = await openDashboard(notification.replicas[1], vendorId);
    const utc = await untilSummary(stream, { timeZone: "UTC" });
    // One of the two has another date than UTC, whenever this runs.
    const zones = ["Pacific/Kiritimati", "Pacific/Pago_Pago"];
    const days = [];
    for (const timeZone of zones) {
      const answer = await send("PUT", `${vendorId}/settings`, { timeZone });
      expect([answer.status, await answer.json()]).toEqual([200, { timeZone }]);
      days.push((await untilSummary(stream, { timeZone })).day);
    }
    expect(days).not.toEqual([utc.day, utc.day]);
    stream.close();
  });

  test("S40: another time zone than an IANA name is a 400, and only a service sets it", async () => {
    const vendorId = newVendor();
    for (const timeZone of [
      "+01:00",
      "CEST-2",
      "Mars/Olympus",
      "",
      "UTC'; --",
      1,
      "x".repeat(99),
    ]) {
      const answer = await send("PUT", `${vendorId}/settings`, { timeZone });
      expect([timeZone, answer.status]).toEqual([timeZone, 400]);
    }
    const more = await send("PUT", `${vendorId}/settings`, { timeZone: "UTC", color: "red" });
    expect(more.status).toBe(400);
    const staff = await send("PUT", `${vendorId}/settings`, { timeZone: "UTC" }, "vendor");
    expect(staff.status).toBe(403);
  });

  test("S40: rolls over at the vendor's midnight without any event, on a day of 23 hours as well", async () => {
    const vendorId = vendorIdSchema.parse(newVendor());
    await send("PUT", `${vendorId}/settings`, { timeZone: "Europe/Stockholm" });
    await recordOrder(vendorId, { placedAt: new Date("2026-03-28T22:59:59.999Z"), total: 1 });
    await recordOrder(vendorId, { placedAt: new Date("2026-03-28T23:00:00.000Z"), total: 20 });
    await recordOrder(vendorId, { placedAt: new Date("2026-03-29T21:59:59.999Z"), total: 300 });
    await recordOrder(vendorId, { placedAt: new Date("2026-03-29T22:00:00.000Z"), total: 4_000 });
    let now = "2026-03-28T22:59:00Z";
    const frames: Buffer[] = [];
    const summaries = openSummaries({
      pool: record,
      logger: { info() {}, warn() {}, error() {} },
      everyMs: 20,
      refreshMs: 3_600_000,
      defaultTimeZone: "UTC",
      deliveriesUnderWay: () => 0,
      devicesOnline: async () => 0,
      now: () => Date.parse(now),
    });
    summaries.follow(vendorId, (frame) => frames.push(frame));
    const untilDay = async (day: string, amount: number) => {
      const expected = `"day":"${day}","timeZone":"Europe/Stockholm"`;
      const revenue = `"revenue":[{"currency":"SEK","amount":${amount}}]`;
      await until(
        () => frames.some((frame) => frame.includes(expected) && frame.includes(revenue)),
        { what: `${day} with ${amount}` },
      );
    };
    await untilDay("2026-03-28", 1);
    now = "2026-03-28T23:00:00Z";
    await untilDay("2026-03-29", 320);
    now = "2026-03-29T21:59:59Z";
    now = "2026-03-29T22:00:00Z";
    await untilDay("2026-03-30", 4_000);
    expect(frames).toHaveLength(3);
    summaries.close();
  });
});

const visit = { kind: "visit", page: "/menu" };

describe("S41 S42: activity", () => {
  test("S41: chats, deliveries and what a backend posts are one line each, on every replica", async () => {
    const vendorId = vendorIdSchema.parse(newVendor());
    const streams = await Promise.all(
      notification.replicas.map((replica) => openDashboard(replica, vendorId)),
    );
    const plain = await openVendorStream(notification.replicas[0], vendorId);
    const message = chatMessageSchema.parse({
      conversationId: "c1",
      messageId: "m1",
      seq: 1,
      senderId: "ana",
      side: "buyer",
      content: "Hello",
      orderId: null,
      createdAt: new Date().toISOString(),
      clientMessageId: "x1",
    });
    const subject = liveChatSubject({ kind: "vendor", vendorId });
    notification.bus.publishSignal(subject, JSON.stringify({ origin: null, message }));
    await Promise.all(streams.map((it) => it.next(({ event }) => event === "activity")));
    await putDelivery(vendorId, `${vendorId}-d`, "assigned");
    await putDelivery(vendorId, `${vendorId}-d`, "delivered");
    const posted = [
      visit,
      { kind: "cart", action: "added", item: "Kanelbulle", quantity: 2 },
      { kind: "review", stars: 5, text: "Best in\ntown", author: "Ana" },
    ];
    for (const line of posted) {
      expect((await send("POST", `${vendorId}/activity`, line)).status).toBe(202);
    }
    for (const stream of streams) {
      await until(() => linesOf(stream).length === 6, { what: "six lines" });
      const lines = linesOf(stream);
      expect(lines.map(({ kind }) => kind).sort()).toEqual(
        ["chat", "delivery", "delivery", "visit", "cart", "review"].sort(),
      );
      for (const line of posted) expect(lines).toContainEqual({ ...line, at: expect.any(String) });
      expect(lines.filter(({ kind }) => kind === "delivery")).toMatchObject([
        { status: "assigned", orderId: `o-${vendorId}-d` },
        { status: "delivered" },
      ]);
      stream.close();
    }
    expect(plain.events.some(({ event }) => ["activity", "summary"].includes(event))).toBe(false);
    plain.close();
  });

  test("S41: a dashboard begins with the last 50 posted lines, in order, and misses none after", async () => {
    const [one, two] = notification.replicas;
    const vendorId = vendorIdSchema.parse(newVendor());
    const log = openActivityLog(notification.bus);
    const post = (page: string) =>
      log.publish(vendorId, { kind: "visit", page, at: new Date().toISOString() });
    for (let number = 1; number <= 70; number += 1) await post(`/${number}`);
    const pagesOf = (stream: EventStream) =>
      linesOf(stream).map((line) => (line.kind === "visit" ? Number(line.page.slice(1)) : 0));
    const first = await openDashboard(one, vendorId);
    for (let number = 71; number <= 90; number += 1) await post(`/${number}`);
    const second = await openDashboard(one, vendorId);
    const third = await openDashboard(two, vendorId);
    await post("/91");
    for (const stream of [first, second, third]) {
      await until(() => pagesOf(stream).at(-1) === 91, { what: "the newest line" });
      const pages = pagesOf(stream);
      const from = pages[0] as number;
      expect(from).toBeGreaterThan(20);
      expect(pages).toEqual(Array.from({ length: 92 - from }, (_, index) => from + index));
      stream.close();
    }
    expect(pagesOf(second).length).toBeGreaterThanOrEqual(50);
  });

  test("S42: a line that is posted again under its activityId is stored once", async () => {
    const vendorId = newVendor();
    const body = { ...visit, activityId: "visit-1" };
    const post = async (to: string) => {
      const answer = await send("POST", `${to}/activity`, body);
      return [answer.status, await answer.json()];
    };
    expect(await post(vendorId)).toEqual([202, { duplicate: false }]);
    expect(await post(vendorId)).toEqual([202, { duplicate: true }]);
    expect(await post(newVendor())).toEqual([202, { duplicate: false }]);
    const stream = await openDashboard(notification.replicas[1], vendorId);
    await send("POST", `${vendorId}/activity`, { ...visit, page: "/last" });
    await until(() => linesOf(stream).some((line) => "page" in line && line.page === "/last"), {
      what: "the last line",
    });
    expect(linesOf(stream)).toHaveLength(2);
    stream.close();
  });

  test("G6 S42: a line has texts of characters that are whole, and they come back as they were sent", async () => {
    const replica = await notification.startReplica({ ACTIVITY_BURST: "1000" });
    const vendorId = newVendor();
    const stream = await openDashboard(replica, vendorId);
    const post = (body: object) => send("POST", `${vendorId}/activity`, body, "service", replica);
    const cart = { kind: "cart", action: "added", quantity: 1 };
    const review = { kind: "review", stars: 5 };
    for (const text of [...BROKEN_TEXTS, "", "🥐".repeat(501)]) {
      for (const line of [
        { kind: "visit", page: text },
        { ...cart, item: text },
        { ...review, text },
        { ...review, text: "good", author: text },
      ]) {
        expect([line, (await post(line)).status]).toEqual([line, 400]);
      }
    }
    const texts = [
      "🥐".repeat(500),
      "\ufeffa\u0001\uffff",
      "cafe\u0301 \u202eabc",
      "<b>'\"--\u2028",
    ];
    for (const text of texts) expect((await post({ ...review, text })).status).toBe(202);
    await until(() => linesOf(stream).length === texts.length, { what: "all lines" });
    expect(linesOf(stream).map((line) => "text" in line && line.text)).toEqual(texts);
    stream.close();
  });

  test("S42: only a service posts, only what is known, and no more than its rate", async () => {
    const vendorId = newVendor();
    const path = `${vendorId}/activity`;
    expect((await send("POST", path, visit, "vendor")).status).toBe(403);
    for (const body of [
      { kind: "chat", text: "forged" },
      { kind: "delivery", deliveryId: "d", status: "delivered" },
      { ...visit, page: "x".repeat(201) },
      { ...visit, more: 1 },
      { kind: "review", stars: 6, text: "!" },
      { kind: "cart", action: "added", item: "bun", quantity: 0 },
    ]) {
      expect((await send("POST", path, body)).status).toBe(400);
    }
    const answers = await Promise.all(Array.from({ length: 200 }, () => send("POST", path, visit)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 202).length).toBeGreaterThanOrEqual(40);
    expect(refused.length).toBeGreaterThan(0);
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await send("POST", `${newVendor()}/activity`, visit)).status).toBe(202);
  });
});

test("S42: a vendor's lines that are posted through two replicas are as many as through one", async () => {
  const env = { ACTIVITY_PER_SECOND: "5", ACTIVITY_BURST: "40" };
  const replicas = [await notification.startReplica(env), await notification.startReplica(env)];
  const vendorId = newVendor();
  const startMs = performance.now();
  const statuses: number[] = [];
  for (let turn = 0; turn < 100; turn += 1) {
    const response = await fetch(`${replicas[turn % 2]?.url}/api/vendor/${vendorId}/activity`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await tokenFor({ role: "service", sub: "backend" })}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ kind: "visit", page: "/menu" }),
    });
    statuses.push(response.status);
  }
  const taken = statuses.filter((status) => status === 202).length;
  expect(taken).toBeGreaterThanOrEqual(40);
  const seconds = (performance.now() - startMs) / 1_000;
  expect(taken).toBeLessThanOrEqual(40 + 5 * seconds + 2 * 4 + 1);
  expect(statuses).toContain(429);
});

test("S43: a reader that is too slow misses lines of activity and older summaries, and no event", async () => {
  const replica = await notification.startReplica({ OUTBOX_BYTES: "400000" });
  const vendorId = vendorIdSchema.parse(newVendor());
  const { hostname, port } = new URL(replica.url);
  const token = await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] });
  const stuck = connect(Number(port), hostname);
  stuck.pause();
  stuck.write(
    `GET /api/vendor/${vendorId}/activity/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  );
  await until(async () => (await metric(replica, "localstreet_dashboards_open")) === 1, {
    what: "the dashboard is open",
  });
  const log = openActivityLog(notification.bus);
  let lines = 0;
  const postLines = async (count: number) => {
    for (let batch = 0; batch < count / 200; batch += 1) {
      await Promise.all(
        Array.from({ length: 200 }, () => {
          lines += 1;
          const text = `${lines} `.padEnd(500, "x");
          return log.publish(vendorId, {
            kind: "review",
            stars: 4,
            text,
            at: new Date().toISOString(),
          });
        }),
      );
    }
  };
  // What the kernel buffers for a reader that does not read is megabytes.
  await postLines(12_000);
  const ids = [];
  for (let number = 0; number < 10; number += 1) {
    ids.push(await storeOrder(replica, vendorId));
    await recordOrder(vendorId);
    await postLines(200);
  }
  expect(await metric(replica, "localstreet_streams_cut_total")).toBe(0);

  let text = "";
  stuck.setEncoding("utf8");
  stuck.on("data", (piece) => {
    text += piece;
  });
  stuck.resume();
  await until(() => text.includes(`"text":"${lines} x`), {
    what: "the newest line",
    timeoutMs: 10_000,
  });
  const got = [...text.matchAll(/^id: (.+)\nevent: new-order$/gm)].map(([, id]) => id);
  expect(got).toEqual(ids);
  expect(text.match(/^event: activity$/gm)?.length).toBeLessThan(lines - 1_000);
  await until(() => /"openOrders":(1\d|2\d)[^\n]*\n\n/.test(text), { what: "the newest summary" });
  stuck.destroy();
  await once(stuck, "close");
});

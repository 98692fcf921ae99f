import { once } from "node:events";
import { connect } from "node:net";
import { chatMessageSchema } from "@localstreet/contracts/chat";
import { activityEventSchema } from "@localstreet/contracts/dashboard";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import { liveChatSubject } from "@localstreet/contracts/subjects";
import { openEventStream } from "@localstreet/testkit/sse-client";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

const tokenOf = (vendorId: string, expiresInSeconds?: number) =>
  tokenFor({
    role: "vendor",
    sub: "sam",
    vendors: [vendorId],
    ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }),
  });

describe("S4: opening a stream", () => {
  test("S4: has the headers that keep it live, and a retry of its own", async () => {
    const vendorId = newVendor();
    const streams = await Promise.all(
      [1, 2, 3, 4].map(() => openVendorStream(notification.replicas[0], vendorId)),
    );
    const { headers } = (streams[0] as (typeof streams)[0]).response;
    expect(headers.get("content-type")).toBe("text/event-stream");
    expect(headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(headers.get("x-accel-buffering")).toBe("no");
    expect(headers.get("localstreet-replica")).toBe("notification-sse-1");
    expect(new Set(streams.map((stream) => stream.retries[0])).size).toBeGreaterThan(1);
    for (const stream of streams) {
      expect(stream.retries).toHaveLength(1);
      stream.close();
    }
  });

  test("S4: the first bytes do not wait for the bus", async () => {
    const { stores, replicas } = notification;
    const vendorId = newVendor();
    await stores.nats.freeze();
    try {
      const stream = await openEventStream(
        `${replicas[0].url}/api/vendor/${vendorId}/notifications/stream`,
        { token: await tokenOf(vendorId) },
      );
      await until(() => stream.retries.length === 1, { what: "the retry" });
      expect(stream.events).toEqual([]);
      // E5: it ends with an error that says to come back, within a bounded time.
      const error = await stream.next(undefined, 15_000);
      expect(error.event).toBe("error");
      expect(JSON.parse(error.data)).toMatchObject({ code: "unavailable", retryable: true });
      await stream.ended;
    } finally {
      await stores.nats.thaw();
    }
    await until(
      async () => {
        const response = await fetch(`${replicas[0].adminUrl}/metrics`);
        return /localstreet_bus_connected\{.*\} 1/.test(await response.text());
      },
      { timeoutMs: 15_000, what: "the bus is back" },
    );
  });

  test("A6 E5: no token is 401, another role 403, another's vendor 404", async () => {
    const url = `${notification.replicas[0].url}/api/vendor/${newVendor()}/notifications/stream`;
    const status = async (token?: string) => {
      const stream = await openEventStream(url, token === undefined ? {} : { token });
      return stream.response.status;
    };
    expect(await status()).toBe(401);
    expect(await status("x.y.z")).toBe(401);
    expect(await status(await tokenFor({ role: "buyer", sub: "ana" }))).toBe(403);
    expect(await status(await tokenOf(newVendor()))).toBe(404);
    expect(await status(await tokenOf("nobody-ever-sold-here"))).toBe(404);
  });

  test("A3: a token in the URL is not read", async () => {
    const vendorId = newVendor();
    const url = `${notification.replicas[0].url}/api/vendor/${vendorId}/notifications/stream`;
    const token = await tokenOf(vendorId);
    for (const name of ["token", "access_token", "authorization"]) {
      const stream = await openEventStream(`${url}?${name}=${token}`);
      expect(stream.response.status).toBe(401);
    }
  });
});

describe("A5: the cookie", () => {
  test("A5 A3: a session cookie opens a stream, for a page of the same origin", async () => {
    const vendorId = newVendor();
    const { url } = notification.replicas[0];
    const response = await fetch(`${url}/api/auth/session`, {
      method: "POST",
      headers: { authorization: `Bearer ${await tokenOf(vendorId, 600)}` },
    });
    expect(response.status).toBe(204);
    const set = response.headers.get("set-cookie") ?? "";
    expect(set).toMatch(/^localstreet_token=.+; Path=\/; HttpOnly; SameSite=Strict; Expires=/);
    expect(set).not.toContain("Secure");
    const expires = Date.parse(/Expires=([^;]+)/.exec(set)?.[1] ?? "");
    const dayMs = 24 * 3_600_000;
    expect(Math.abs(expires - Date.now() - 600_000 - dayMs)).toBeLessThan(5_000);

    const cookie = set.split(";")[0] as string;
    const stream = `${url}/api/vendor/${vendorId}/notifications/stream`;
    const same = await openEventStream(stream, {
      headers: { cookie, "sec-fetch-site": "same-origin" },
    });
    expect((await same.next()).event).toBe("resume");
    same.close();
    const cross = await openEventStream(stream, {
      headers: { cookie, "sec-fetch-site": "cross-site" },
    });
    expect(cross.response.status).toBe(401);
  });

  test("A5: over TLS it is Secure; a bad token sets none; DELETE clears it", async () => {
    const url = `${notification.replicas[0].url}/api/auth/session`;
    const authorization = `Bearer ${await tokenOf("a")}`;
    const secure = await fetch(url, {
      method: "POST",
      headers: { authorization, "x-forwarded-proto": "https" },
    });
    expect(secure.headers.get("set-cookie")).toContain("; Secure");
    const bad = await fetch(url, { method: "POST", headers: { authorization: "Bearer x.y.z" } });
    expect([bad.status, bad.headers.get("set-cookie")]).toEqual([401, null]);
    const cleared = await fetch(url, { method: "DELETE" });
    expect(cleared.status).toBe(204);
    expect(cleared.headers.get("set-cookie")).toMatch(
      /^localstreet_token=; .*Expires=Thu, 01 Jan 1970/,
    );
  });
});

describe("A7 A8: the end of a token", () => {
  test("A7: a stream ends with an error when its token does", async () => {
    const vendorId = newVendor();
    const stream = await openVendorStream(notification.replicas[0], vendorId, {
      token: await tokenOf(vendorId, 2),
    });
    const error = await stream.next((event) => event.event === "error");
    expect(JSON.parse(error.data).code).toBe("token-expired");
    await stream.ended;
  });

  test("A8: a genuine token that has expired is answered with 200, retry: 15000 and the error", async () => {
    const vendorId = newVendor();
    const stream = await openEventStream(
      `${notification.replicas[0].url}/api/vendor/${vendorId}/notifications/stream`,
      { token: await tokenOf(vendorId, -1) },
    );
    expect(stream.response.status).toBe(200);
    expect(JSON.parse((await stream.next()).data).code).toBe("token-expired");
    await stream.ended;
    expect(stream.retries).toEqual([15_000]);
  });
});

describe("S6: resuming", () => {
  test("S6 S5: complete: what was missed follows, in order, then live events", async () => {
    const [one, two] = notification.replicas;
    const vendorId = newVendor();
    const before = await openVendorStream(one, vendorId);
    expect(before.resume).toMatchObject({ status: "fresh", replayed: 0 });
    await storeOrder(one, vendorId, newOrder({ orderId: "o-1" }));
    const { id } = await before.next(isOrder);
    before.close();
    for (const orderId of ["o-2", "o-3", "o-4"]) {
      await storeOrder(two, vendorId, newOrder({ orderId }));
    }
    const after = await openVendorStream(two, vendorId, { lastEventId: id });
    expect(after.resume).toMatchObject({ status: "complete", from: id, replayed: 3 });
    await until(() => ordersOf(after).length === 3, { what: "the replay" });
    await storeOrder(one, vendorId, newOrder({ orderId: "o-5" }));
    await until(() => ordersOf(after).length === 4, { what: "the live one" });
    expect(ordersOf(after)).toEqual(["o-2", "o-3", "o-4", "o-5"]);
    after.close();
  });

  test("S6: to of a fresh stream is an id to resume from, and lastEventId may be in the query", async () => {
    const [one] = notification.replicas;
    const vendorId = newVendor();
    await storeOrder(one, vendorId);
    const fresh = await openVendorStream(one, vendorId);
    fresh.close();
    await storeOrder(one, vendorId, newOrder({ orderId: "o-next" }));
    const path = `notifications/stream?lastEventId=${fresh.resume.to}`;
    const stream = await openVendorStream(one, vendorId, { path });
    expect(stream.resume).toMatchObject({ status: "complete", replayed: 1 });
    await stream.next(isOrder);
    expect(ordersOf(stream)).toEqual(["o-next"]);
    stream.close();
  });

  test("S6: more than is counted ahead is replayed whole", async () => {
    const [one, two] = notification.replicas;
    const vendorId = newVendor();
    const { resume, close } = await openVendorStream(one, vendorId);
    close();
    const orderIds = Array.from({ length: 300 }, (_, index) => `many-${index}`);
    await Promise.all(orderIds.map((orderId) => storeOrder(one, vendorId, newOrder({ orderId }))));
    const stream = await openVendorStream(two, vendorId, { lastEventId: resume.to });
    expect(stream.resume).toMatchObject({ status: "complete", replayed: null });
    await until(() => ordersOf(stream).length === 300, { what: "300 orders", timeoutMs: 10_000 });
    expect(new Set(ordersOf(stream))).toEqual(new Set(orderIds));
    const sequences = stream.events.filter(isOrder).map(({ id }) => Number(id.split("-")[1]));
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    stream.close();
  });

  test("S8: an id of another vendor, another epoch, the future or garbage is reset", async () => {
    const [one] = notification.replicas;
    const [vendorId, other] = [newVendor(), newVendor()];
    const id = await storeOrder(one, vendorId);
    const foreign = await storeOrder(one, other);
    const [epoch, sequence, check] = id.split("-");
    for (const lastEventId of [
      foreign,
      `aaaaaaaa-${sequence}-${check}`,
      `${epoch}-999999999-${check}`,
      `${epoch}--1-${check}`,
      `${epoch}-${sequence}-xxxxxx`,
      `${id}, ${id}`,
      "x".repeat(8_000),
      "*",
    ]) {
      const stream = await openVendorStream(one, vendorId, { lastEventId });
      expect([lastEventId, stream.resume.status]).toEqual([lastEventId, "reset"]);
      expect(ordersOf(stream)).toEqual([]);
      stream.close();
    }
  });
});

describe("S7: a quiet stream", () => {
  test("S7: carries keepalive comments, and pings whose id resumes as complete", async () => {
    const replica = await notification.startReplica({ KEEPALIVE_MS: "40", STREAM_PING_MS: "60" });
    const vendorId = newVendor();
    const stream = await openVendorStream(replica, vendorId);
    await until(() => stream.comments.filter((text) => text === "keepalive").length > 2, {
      what: "keepalives",
    });
    const id = await storeOrder(notification.replicas[0], vendorId);
    const ping = await stream.next(
      (event) => event.event === "ping" && JSON.parse(event.data).head === id,
    );
    expect(ping.id).toBe(id);
    stream.close();
    const again = await openVendorStream(replica, vendorId, { lastEventId: ping.id });
    expect(again.resume).toMatchObject({ status: "complete", replayed: 0 });
    again.close();
  });
});

test("S9: a client that does not read is cut off, and resumes by its id; others are not held up", async () => {
  const replica = await notification.startReplica({ OUTBOX_BYTES: "65536" });
  const vendorId = newVendor();
  const healthy = await openVendorStream(replica, vendorId);
  const { hostname, port } = new URL(replica.url);
  const stuck = connect(Number(port), hostname);
  stuck.pause();
  stuck.write(
    `GET /api/vendor/${vendorId}/notifications/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${await tokenOf(vendorId)}\r\n\r\n`,
  );
  const metric = async (name: string) => {
    const text = await (await fetch(`${replica.adminUrl}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1]);
  };
  await until(async () => (await metric("localstreet_streams_open")) === 2, { what: "both open" });

  // What the kernel buffers for a reader that does not read is megabytes; orders of 15 KB fill it.
  const note = "x".repeat(1_000);
  const items = Array.from({ length: 60 }, () => ({
    name: "y".repeat(180),
    quantity: 1,
    unitPrice: 1,
  }));
  let sent = 0;
  while ((await metric("localstreet_streams_cut_total")) !== 1) {
    expect(sent).toBeLessThan(3_000);
    await Promise.all(
      Array.from({ length: 20 }, () => storeOrder(replica, vendorId, newOrder({ note, items }))),
    );
    sent += 20;
  }
  await until(async () => (await metric("localstreet_streams_open")) === 1, { what: "one cut" });
  await until(() => ordersOf(healthy).length === sent, { what: "all orders", timeoutMs: 10_000 });
  const expected = healthy.events.filter(isOrder).map(({ id }) => id);
  healthy.close();

  const received: Buffer[] = [];
  stuck.on("data", (data) => received.push(data));
  stuck.resume();
  await once(stuck, "close");
  // What came after the last empty line is half an event: no client counts it.
  const whole = String(Buffer.concat(received)).split("\n\n").slice(0, -1).join("\n\n");
  const got = [...whole.matchAll(/^id: (.+)\nevent: new-order$/gm)].map((match) => match[1]);
  const again = await openVendorStream(replica, vendorId, { lastEventId: got.at(-1) as string });
  expect(again.resume.status).toBe("complete");
  await until(() => got.length + ordersOf(again).length >= sent, {
    what: "the rest",
    timeoutMs: 10_000,
  });
  expect([...got, ...again.events.filter(isOrder).map(({ id }) => id)]).toEqual(expected);
  again.close();
});

test("S10 E5: a replica that drains sends goaway with a retry of its own, and takes no more", async () => {
  const replica = await notification.startReplica();
  const vendorId = newVendor();
  const streams = await Promise.all([1, 2, 3].map(() => openVendorStream(replica, vendorId)));
  await replica.drain(100);
  const waits = await Promise.all(
    streams.map(async (stream) => {
      const goaway = await stream.next((event) => event.event === "goaway");
      await stream.ended;
      expect(stream.retries.at(-1)).toBe(JSON.parse(goaway.data).retryAfterMs);
      return stream.retries.at(-1);
    }),
  );
  expect(new Set(waits).size).toBeGreaterThan(1);
  await expect(fetch(replica.url)).rejects.toThrow();
});

test("S10: a stream that is being opened when the drain begins is told to go as well", async () => {
  const replica = await notification.startReplica();
  const vendorId = newVendor();
  await notification.stores.nats.freeze();
  const stream = await openEventStream(
    `${replica.url}/api/vendor/${vendorId}/notifications/stream`,
    { token: await tokenOf(vendorId) },
  );
  const drained = replica.drain(50);
  await notification.stores.nats.thaw();
  expect((await stream.next()).event).toBe("goaway");
  await stream.ended;
  await drained;
});

test("S4: a stream that is pipelined behind another is refused, and does not write into it", async () => {
  const [one] = notification.replicas;
  const vendorId = newVendor();
  const { hostname, port } = new URL(one.url);
  const client = connect(Number(port), hostname);
  let text = "";
  client.on("data", (data) => {
    text += data;
  });
  const request = `GET /api/vendor/${vendorId}/notifications/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${await tokenOf(vendorId)}\r\n\r\n`;
  client.write(request + request);
  await until(() => text.includes("event: resume"), { what: "the first stream" });
  const id = await storeOrder(one, vendorId);
  await until(() => text.includes(`id: ${id}\n`), { what: "the order" });
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(text.match(/^event: resume/gm)).toHaveLength(1);
  client.destroy();
});

describe("S12: the dashboard's stream", () => {
  test("S12: brings the same orders with the same ids, and a line for each chat message", async () => {
    const [one, two] = notification.replicas;
    const vendorId = vendorIdSchema.parse(newVendor());
    const path = "activity/stream";
    const dashboard = await openVendorStream(two, vendorId, { path });
    const plain = await openVendorStream(two, vendorId);
    const id = await storeOrder(one, vendorId);
    expect((await dashboard.next(isOrder)).id).toBe(id);

    const message = chatMessageSchema.parse({
      conversationId: "c1",
      messageId: "m1",
      seq: 1,
      senderId: "ana",
      side: "buyer",
      content: `Hello\r\nthere ${"🥖".repeat(200)}`,
      orderId: null,
      createdAt: new Date().toISOString(),
      clientMessageId: "x1",
    });
    const subject = liveChatSubject({ kind: "vendor", vendorId });
    for (const malformed of ["{", "{}", '{"message":{}}']) {
      notification.bus.publishSignal(subject, malformed);
    }
    notification.bus.publishSignal(subject, JSON.stringify({ origin: null, message }));
    const event = await dashboard.next(({ event }) => event === "activity");
    const activity = activityEventSchema.parse(JSON.parse(event.data));
    expect(activity).toMatchObject({ kind: "chat", side: "buyer", conversationId: "c1" });
    expect(activity.kind === "chat" && [...activity.text]).toHaveLength(120);
    // It has no id of its own: the last one is still the order's.
    expect(event.id).toBe(id);
    await storeOrder(one, vendorId);
    await plain.next((order) => isOrder(order) && order.id !== id);
    expect(plain.events.some(({ event }) => event === "activity")).toBe(false);
    dashboard.close();
    plain.close();
  });
});

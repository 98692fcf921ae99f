import { oddTokens } from "@localstreet/testkit/odd-tokens";
import { openEventStream } from "@localstreet/testkit/sse-client";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { EventSource } from "eventsource";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Notification,
  newVendor,
  openVendorStream,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification({ CONNECTIONS_PER_USER: "10", RETRY_MAX_MS: "1000" });
});
afterAll(() => notification.stop());

const staffToken = (sub: string, vendorId: string, expiresInSeconds = 600) =>
  tokenFor({ role: "vendor", sub, vendors: [vendorId], expiresInSeconds });

async function revoke(body: unknown, token?: string): Promise<Response> {
  return await fetch(`${notification.replicas[0].url}/api/auth/revocations`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token ?? (await tokenFor({ role: "service", sub: "backend" }))}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
}

describe("E9: the streams of one person", () => {
  test("E9 E5: over two replicas the eleventh is refused, the ten are unharmed, and one that goes makes room", async () => {
    const vendorId = newVendor();
    const token = await staffToken("eve", vendorId);
    const ten = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        openVendorStream(notification.replicas[index % 2 ? 0 : 1], vendorId, { token }),
      ),
    );
    for (const { url } of notification.replicas) {
      const path = `${url}/api/vendor/${vendorId}/activity/stream`;
      const eleventh = await openEventStream(path, { token });
      expect(eleventh.response.status).toBe(200);
      const only = await eleventh.next();
      expect([only.event, JSON.parse(only.data)]).toEqual([
        "error",
        expect.objectContaining({ code: "too-many-connections", retryable: true }),
      ]);
      await eleventh.ended;
      expect(eleventh.retries.length).toBe(1);
      const authorization = `Bearer ${token}`;
      const plain = await fetch(path, { headers: { authorization } });
      expect([plain.status, plain.headers.has("retry-after")]).toEqual([429, true]);
    }
    await storeOrder(notification.replicas[0], vendorId);
    for (const stream of ten) expect((await stream.next()).event).toBe("new-order");
    // A colleague is another person.
    const colleague = await openVendorStream(notification.replicas[0], vendorId, {
      token: await staffToken("kim", vendorId),
    });
    ten[0]?.close();
    await until(
      async () => {
        const stream = await openEventStream(
          `${notification.replicas[1].url}/api/vendor/${vendorId}/notifications/stream`,
          { token },
        );
        const { event } = await stream.next();
        stream.close();
        return event === "resume";
      },
      { what: "room for one more" },
    );
    for (const stream of [...ten, colleague]) stream.close();
  });
});

describe("A9: revocation", () => {
  test("A9: open streams on every replica end within a second, and the token is refused everywhere", async () => {
    const vendorId = newVendor();
    const token = await staffToken("auth0|mallory", vendorId);
    const streams = await Promise.all(
      notification.replicas.map((replica) => openVendorStream(replica, vendorId, { token })),
    );
    const bystander = await openVendorStream(notification.replicas[0], vendorId, {
      token: await staffToken("auth0|mallor", vendorId),
    });
    expect((await revoke({ sub: "auth0|mallory" })).status).toBe(204);
    const startMs = performance.now();
    for (const stream of streams) {
      const last = await stream.next(({ event }) => event === "error");
      expect(JSON.parse(last.data)).toMatchObject({ code: "token-revoked", retryable: false });
      await stream.ended;
    }
    expect(performance.now() - startMs).toBeLessThan(1_000);
    for (const { url } of notification.replicas) {
      const refused = await openEventStream(`${url}/api/vendor/${vendorId}/notifications/stream`, {
        token,
      });
      expect(refused.response.status).toBe(401);
      expect(await refused.response.headers.get("www-authenticate")).toBe("Bearer");
    }
    const late = await notification.startReplica();
    const authorization = `Bearer ${token}`;
    const session = await fetch(`${late.url}/api/auth/session`, {
      method: "POST",
      headers: { authorization },
    });
    expect(await session.json()).toMatchObject({ status: 401, code: "token-revoked" });
    await until(
      async () => {
        const stream = await openEventStream(
          `${late.url}/api/vendor/${vendorId}/notifications/stream`,
          { token: await staffToken("auth0|mallory", vendorId) },
        );
        stream.close();
        return stream.response.status === 200;
      },
      { what: "a token that was issued later is good" },
    );
    await storeOrder(notification.replicas[0], vendorId);
    expect((await bystander.next()).event).toBe("new-order");
    bystander.close();
  });

  test("A9 A6 G3: it is for services, and its body is checked", async () => {
    expect((await revoke({ sub: "zoe" }, await staffToken("zoe", "a"))).status).toBe(403);
    for (const body of [{}, { sub: "" }, { sub: "x".repeat(256) }, { sub: "a", more: 1 }]) {
      expect((await revoke(body)).status).toBe(400);
    }
  });
});

describe("A10: times of a token", () => {
  test("A10 A5: a genuine token with an odd time opens no stream and makes no cookie", async () => {
    const [one] = notification.replicas;
    const vendorId = newVendor();
    const claims = { role: "vendor", sub: "oda", vendors: [vendorId] };
    const path = `${one.url}/api/vendor/${vendorId}/notifications/stream`;
    for (const { name, token, isTaken } of oddTokens(claims)) {
      for (const headers of [
        { authorization: `Bearer ${token}` },
        { cookie: `localstreet_token=${token}`, "sec-fetch-site": "same-origin" },
      ]) {
        const stream = await openEventStream(path, { headers });
        // One that has expired is told so by an event: A8.
        const [said] = stream.response.ok ? [(await stream.next()).event] : [401];
        const wanted = isTaken ? "resume" : /^exp (-1|1.5)$/.test(name) ? "error" : 401;
        expect([name, said]).toEqual([name, wanted]);
        stream.close();
      }
      const session = await fetch(`${one.url}/api/auth/session`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
      });
      expect([name, session.status]).toEqual([name, isTaken ? 204 : 401]);
      const cookie = session.headers.get("set-cookie");
      if (isTaken)
        expect(Date.parse(/Expires=([^;]+)/.exec(cookie ?? "")?.[1] ?? "")).not.toBeNaN();
      else expect(cookie).toBeNull();
    }
  });

  test("A10 A9: a token that is issued in the future is refused, and one a moment ahead falls with a revocation", async () => {
    const [one, two] = notification.replicas;
    const vendorId = newVendor();
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const staff = { role: "vendor" as const, sub: newVendor(), vendors: [vendorId] };
    const ahead = (seconds: number) =>
      tokenFor({ ...staff, issuedAtSeconds: nowSeconds + seconds });
    const statusOf = async (token: string) => {
      const stream = await openEventStream(
        `${two.url}/api/vendor/${vendorId}/notifications/stream`,
        { token },
      );
      stream.close();
      return stream.response.status;
    };
    for (const seconds of [30, 3_600, 86_400])
      expect(await statusOf(await ahead(seconds))).toBe(401);
    const token = await ahead(1);
    const stream = await openVendorStream(one, vendorId, { token });
    expect((await revoke({ sub: staff.sub })).status).toBe(204);
    const last = await stream.next(({ event }) => event === "error");
    expect(JSON.parse(last.data).code).toBe("token-revoked");
    await until(async () => (await statusOf(token)) === 401, { what: "refused everywhere" });
    // It stays so when the clock has passed its `iat`.
    await until(() => Date.now() > (nowSeconds + 2) * 1_000, { what: "its second is over" });
    expect(await statusOf(token)).toBe(401);
  });

  test("A10: a token that lives longer than a revocation is remembered is refused", async () => {
    const [one] = notification.replicas;
    const vendorId = newVendor();
    const path = `${one.url}/api/vendor/${vendorId}/notifications/stream`;
    const day = 86_400;
    for (const [days, status] of [
      [29, 200],
      [31, 401],
      [36_500, 401],
    ] as const) {
      const stream = await openEventStream(path, {
        token: await staffToken("oda", vendorId, days * day),
      });
      expect([days, stream.response.status]).toEqual([days, status]);
      stream.close();
    }
  });
});

test("E10 S10: a stream is sent away at its age, with a retry of its own", async () => {
  const replica = await notification.startReplica({ CONNECTION_AGE_MS: "300" });
  const stream = await openVendorStream(replica, newVendor());
  const goaway = await stream.next(({ event }) => event === "goaway");
  expect(JSON.parse(goaway.data).retryAfterMs).toBeGreaterThanOrEqual(1_000);
  await stream.ended;
});

describe("A7 A8: a stream whose token ends", () => {
  test("A7: is told before, once, without an id, and ends with its token", async () => {
    const vendorId = newVendor();
    const token = await staffToken("tim", vendorId, 2);
    const stream = await openVendorStream(notification.replicas[0], vendorId, { token });
    const told = await stream.next(({ event }) => event === "token-expiring");
    expect(Date.parse(JSON.parse(told.data).expiresAt) - Date.now()).toBeLessThan(2_000);
    expect(told.id).toBe(stream.resume.to);
    const last = await stream.next();
    expect([last.event, JSON.parse(last.data).code]).toEqual(["error", "token-expired"]);
  });

  test("A8 A5 S6: an EventSource with a cookie lives through the end of its token, and is complete once it is renewed", async () => {
    const vendorId = newVendor();
    const { url } = notification.replicas[0];
    const jar = { cookie: "", untilMs: 0 };
    const statuses: number[] = [];
    async function renew(expiresInSeconds: number): Promise<void> {
      const response = await fetch(`${url}/api/auth/session`, {
        method: "POST",
        headers: { authorization: `Bearer ${await staffToken("pia", vendorId, expiresInSeconds)}` },
      });
      const set = response.headers.get("set-cookie") ?? "";
      jar.cookie = set.split(";")[0] as string;
      jar.untilMs = Date.parse(/Expires=([^;]+)/.exec(set)?.[1] ?? "");
    }
    await renew(2);
    // As a browser: the cookie goes along for as long as it is kept.
    const source = new EventSource(`${url}/api/vendor/${vendorId}/notifications/stream`, {
      async fetch(input, init) {
        const cookie = jar.untilMs > Date.now() ? { cookie: jar.cookie } : {};
        const response = await fetch(input, {
          ...init,
          headers: { ...init.headers, ...cookie, "sec-fetch-site": "same-origin" },
        });
        statuses.push(response.status);
        if (!response.headers.has("content-length")) return response;
        // A refusal, which is whole at once. Its 15 s are for pages; a test need not wait for them.
        const text = (await response.text()).replace("retry: 15000", "retry: 100");
        return new Response(text, response);
      },
    });
    const orders: string[] = [];
    const verdicts: string[] = [];
    const errors: string[] = [];
    source.addEventListener("new-order", ({ data }) => orders.push(JSON.parse(data).orderId));
    source.addEventListener("resume", ({ data }) => verdicts.push(JSON.parse(data).status));
    source.addEventListener("error", (event) => {
      if ("data" in event && typeof event.data === "string") {
        errors.push(JSON.parse(event.data).code);
      }
    });
    await until(() => verdicts.length === 1, { what: "open" });
    const sent = [await storeOrder(notification.replicas[0], vendorId)];
    await until(() => errors.length >= 1, { what: "the token has ended" });
    sent.push(await storeOrder(notification.replicas[0], vendorId));
    await until(() => errors.length >= 2, { what: "it came back with the expired cookie" });
    sent.push(await storeOrder(notification.replicas[0], vendorId));
    await renew(600);
    await until(() => orders.length === sent.length, {
      what: "all orders after the cookie was renewed",
    });
    source.close();
    expect(verdicts).toEqual(["fresh", "complete"]);
    expect(new Set(orders).size).toBe(3);
    expect(new Set(errors)).toEqual(new Set(["token-expired"]));
    expect(new Set(statuses)).toEqual(new Set([200]));
  }, 30_000);
});

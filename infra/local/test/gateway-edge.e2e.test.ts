import { connect } from "node:net";
import { join } from "node:path";
import type { PrivateServer } from "@localstreet/stores/private-server";
import { openEventStream } from "@localstreet/testkit/sse-client";
import { until } from "@localstreet/testkit/wait";
import { openSocket } from "@localstreet/testkit/ws-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Platform } from "../src/platform.ts";
import { sendRaw } from "./gateway-stage.ts";
import { createMarketplace, freshId, startTestPlatform } from "./marketplace.ts";
import { startStockNginx } from "./stock-nginx.ts";

let platform: Platform;
let dataDir: string;
let market: ReturnType<typeof createMarketplace>;
let stop: () => Promise<void>;
let port: number;
/** HTTP/1.0 to the gateway, which is nginx's default, and HTTP/1.1 with upgrades. */
let old: PrivateServer;
let upgrading: PrivateServer;

/** `REQUEST_MS` of the services here. */
const REQUEST_MS = 2_000;

beforeAll(async () => {
  ({ platform, dataDir, stop } = await startTestPlatform({
    replicas: {
      "notification-sse": 1,
      "chat-ws": 1,
      "tracking-ingest": 1,
      "tracking-fanout": 1,
    },
    env: { REQUEST_MS: String(REQUEST_MS) },
  }));
  market = createMarketplace(platform);
  port = Number(new URL(platform.url).port);
  old = await startStockNginx({ dir: join(dataDir, "stock-old"), target: platform.url });
  upgrading = await startStockNginx({
    dir: join(dataDir, "stock-upgrading"),
    target: platform.url,
    passUpgrades: true,
  });
});

afterAll(async () => {
  await old?.stop();
  await upgrading?.stop();
  await stop?.();
});

describe("S4: behind one more nginx", () => {
  test.each([
    ["HTTP/1.0", "notifications", () => old],
    ["HTTP/1.1", "notifications", () => upgrading],
    ["HTTP/1.0", "activity", () => old],
  ])(
    "S4: one that speaks %s and buffers passes the events of a %s stream one by one",
    async (_version, kind, proxy) => {
      const vendorId = freshId("vendor");
      const token = await market.vendorToken(vendorId);
      const path = `/api/vendor/${vendorId}/${kind}/stream`;
      const stream = await Promise.race([
        openEventStream(`http://127.0.0.1:${proxy().port}${path}`, { token }),
        new Promise<never>((_resolve, reject) => {
          AbortSignal.timeout(5_000).onabort = () => reject(new Error("no byte within 5 s"));
        }),
      ]);
      await stream.next(({ event }) => event === "resume", 2_000);
      for (let count = 0; count < 3; count += 1) {
        const orderId = freshId("order");
        expect((await market.postOrder(vendorId, orderId)).status).toBe(202);
        await stream.next(
          ({ event, data }) => event === "new-order" && JSON.parse(data).orderId === orderId,
          2_000,
        );
      }
      stream.close();
    },
  );

  test("S4: the gateway hands on what says so", async () => {
    const vendorId = freshId("vendor");
    const stream = await market.openVendorStream(vendorId);
    const { headers } = stream.response;
    expect(headers.get("x-accel-buffering")).toBe("no");
    expect(headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(headers.get("content-type")).toBe("text/event-stream");
    expect(stream.retries).toHaveLength(1);
    stream.close();
  });

  test("S15: a list that waits brings its event through it at once", async () => {
    const vendorId = freshId("vendor");
    const headers = { authorization: `Bearer ${await market.vendorToken(vendorId)}` };
    const url = `http://127.0.0.1:${old.port}/api/vendor/${vendorId}/notifications`;
    const first = (await (await fetch(url, { headers })).json()) as { resume: { to: string } };
    let isOver = false;
    const waiting = fetch(`${url}?after=${first.resume.to}&wait=20`, { headers }).finally(() => {
      isOver = true;
    });
    await until(
      async () => {
        await market.postOrder(vendorId, freshId("order"));
        return isOver;
      },
      { what: "its answer", timeoutMs: 10_000 },
    );
    const page = (await (await waiting).json()) as { events: unknown[] };
    expect(page.events).not.toHaveLength(0);
  });

  test("C1: frames of a WebSocket pass through it one by one", async () => {
    const token = await market.buyerToken(freshId("buyer"));
    const socket = await openSocket(`ws://127.0.0.1:${upgrading.port}/api/chat/ws`, { token });
    await socket.next(({ type }) => type === "authenticated");
    for (const clientMessageId of ["m-1", "m-2"]) {
      const to = "vendor-1";
      socket.send({ type: "send-message", clientMessageId, to, content: clientMessageId });
      await socket.next(
        (frame) => frame.type === "ack" && frame.clientMessageId === clientMessageId,
      );
    }
    socket.close();
  });
});

describe("E16: large headers", () => {
  const ask = (path: string, ...lines: string[]) =>
    sendRaw(
      port,
      [`GET ${path} HTTP/1.1`, "Host: a", ...lines, "Connection: close", "", ""].join("\r\n"),
    );

  test("E16 A5: a token of 8 KiB renews a cookie of 8 KiB", async () => {
    const vendors = Array.from({ length: 88 }, (_, index) => `v${index}`.padEnd(64, "x"));
    const large = () => platform.signToken({ role: "vendor", sub: freshId("staff"), vendors });
    const [cookie, bearer] = await Promise.all([large(), large()]);
    expect(bearer.length).toBeGreaterThan(7_900);
    const renewed = await fetch(`${platform.url}/api/auth/session`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${bearer}`,
        cookie: `theme=dark; localstreet_token=${cookie}`,
      },
    });
    expect(renewed.status).toBe(204);
    expect(renewed.headers.get("set-cookie")).toContain(bearer);
  });

  test.each([
    [
      "many lines, over 32 KiB together",
      Array.from({ length: 4 }, (_, n) => `X-${n}: ${"x".repeat(9_000)}`),
    ],
    ["one line over 16 KiB", [`X-Large: ${"x".repeat(17_000)}`]],
    ["a cookie of 200 KiB", [`Cookie: localstreet_token=${"x".repeat(200_000)}`]],
    ["2,000 lines", Array.from({ length: 2_000 }, (_, n) => `X-${n}: ${"x".repeat(60)}`)],
  ])("E16 E1: %s are a 431 with a code", async (_name, lines) => {
    const answer = await ask("/api/chat/conversations", ...lines);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    expect(answer).toContain('"code":"headers-too-large"');
  });

  test("E16 E1: a URL over 16 KiB is a 414 with a code", async () => {
    const answer = await ask(`/api/chat/conversations?${"x".repeat(17_000)}`);
    expect(answer).toMatch(/^HTTP\/1\.1 414 /);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    expect(answer).toContain('"code":"uri-too-long"');
  });
});

describe("E17: bodies that drip", () => {
  const drip = async (method: string, path: string, token: string) => {
    const socket = connect({ host: "127.0.0.1", port });
    let answer = "";
    let isOver = false;
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      isOver = true;
    });
    socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}\r\nContent-Length: 200\r\n\r\n{`,
    );
    const dripping = setInterval(() => socket.writable && socket.write(" "), 250);
    const startMs = performance.now();
    await until(() => isOver || answer.includes("\r\n\r\n"), {
      what: "an answer",
      timeoutMs: 12_000,
    }).finally(() => clearInterval(dripping));
    socket.destroy();
    return { answer, afterMs: performance.now() - startMs };
  };

  test.each([
    ["POST", "/api/vendor/vendor-1/orders", "service"],
    ["POST", "/api/vendor/vendor-1/orders/batch", "service"],
    ["POST", "/api/chat/conversations", "service"],
    ["POST", "/api/driver/driver-1/location", "driver"],
    ["PUT", "/api/deliveries/delivery-1", "service"],
  ] as const)("E17: %s %s is ended with 408", async (method, path, role) => {
    const token = await platform.signToken({ role, sub: "driver-1" });
    const { answer, afterMs } = await drip(method, path, token);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    expect(answer).toContain('"code":"request-timeout"');
    expect(answer).toMatch(/localstreet-replica: [a-z-]+-1/i);
    expect(afterMs).toBeLessThan(REQUEST_MS + 3_000);
  });
});

describe("E18: what is no WebSocket", () => {
  const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const VERSION = "Sec-WebSocket-Version: 13";
  const UPGRADE = ["Connection: Upgrade, close", "Upgrade: websocket"];
  const ask = (path: string, lines: string[]) =>
    sendRaw(port, [`GET ${path} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n"));

  test.each(["/api/chat/ws", "/api/tracking/ws"])(
    "E18 G4: %s says with its replica's name what is wrong with a handshake",
    async (path) => {
      const cases: [string[], number, string][] = [
        [["Connection: close"], 426, "upgrade-required"],
        [[...UPGRADE, KEY, "Sec-WebSocket-Version: 12"], 426, "upgrade-required"],
        [[...UPGRADE, KEY], 426, "upgrade-required"],
        [[...UPGRADE, VERSION], 400, "invalid-request"],
        [[...UPGRADE, "Sec-WebSocket-Key: short", VERSION], 400, "invalid-request"],
        [[...UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: a,,b"], 400, "invalid-request"],
      ];
      for (const [lines, status, code] of cases) {
        const answer = await ask(path, lines);
        expect([lines, answer]).toEqual([lines, expect.stringMatching(`^HTTP/1.1 ${status} `)]);
        expect(answer).toMatch(/content-type: application\/problem\+json/i);
        expect(answer).toContain(`"code":"${code}"`);
        expect(answer).toMatch(/localstreet-replica: [a-z-]+-1/i);
        if (status === 426) {
          expect(answer).toMatch(/^upgrade: websocket/im);
          expect(answer).toMatch(/^sec-websocket-version: 13/im);
        }
      }
    },
  );

  test("E18: no subprotocol is chosen, whatever is offered", async () => {
    for (const path of ["/api/chat/ws", "/api/tracking/ws"]) {
      const socket = connect({ host: "127.0.0.1", port });
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      const offer = "Sec-WebSocket-Protocol: graphql-ws, chat";
      socket.write(
        [`GET ${path} HTTP/1.1`, "Host: a", ...UPGRADE, KEY, VERSION, offer, "", ""].join("\r\n"),
      );
      await until(() => answer.includes("\r\n\r\n"), { what: "the handshake" });
      expect(answer).toMatch(/^HTTP\/1\.1 101 /);
      expect(answer).not.toMatch(/sec-websocket-protocol/i);
      socket.destroy();
    }
  });
});

describe("G3: what no route knows", () => {
  const roles = {
    vendor: { role: "vendor", sub: "staff", vendors: ["v1"] },
    buyer: { role: "buyer", sub: "ada" },
    driver: { role: "driver", sub: "driver-1" },
    service: { role: "service", sub: "backend" },
  } as const;

  test.each([
    ["GET", "/api/vendor/v1/notifications/stream", "vendor"],
    ["GET", "/api/vendor/v1/activity/stream", "vendor"],
    ["GET", "/api/vendor/v1/notifications", "vendor"],
    ["GET", "/api/vendor/v1/orders", "vendor"],
    ["GET", "/api/vendor/v1/orders/o1", "vendor"],
    ["POST", "/api/vendor/v1/orders", "service"],
    ["POST", "/api/vendor/v1/orders/batch", "service"],
    ["POST", "/api/vendor/v1/orders/o1/ack", "vendor"],
    ["POST", "/api/vendor/v1/orders/o1/status", "service"],
    ["POST", "/api/vendor/v1/activity", "service"],
    ["PUT", "/api/vendor/v1/settings", "service"],
    ["POST", "/api/auth/session", "vendor"],
    ["DELETE", "/api/auth/session", "vendor"],
    ["POST", "/api/auth/revocations", "service"],
    ["POST", "/api/chat/conversations", "buyer"],
    ["GET", "/api/chat/conversations", "buyer"],
    ["GET", "/api/chat/conversations/c1/messages", "buyer"],
    ["POST", "/api/chat/conversations/c1/messages", "buyer"],
    ["GET", "/api/chat/ws", "buyer"],
    ["POST", "/api/driver/driver-1/location", "driver"],
    ["PUT", "/api/deliveries/d1", "service"],
    ["GET", "/api/deliveries/d1", "buyer"],
    ["GET", "/api/tracking/ws", "buyer"],
  ] as const)("G3: %s %s refuses an unknown field of its query", async (method, path, role) => {
    const token = await platform.signToken(roles[role]);
    const response = await fetch(`${platform.url}${path}?foo=1`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: path.endsWith("/stream") ? "text/event-stream" : "*/*",
        ...(method === "GET" ? {} : { "content-type": "application/json" }),
      },
      ...(method === "GET" ? {} : { body: "{}" }),
    });
    expect(response.status).toBe(400);
    const detail = "The query does not match its schema";
    expect(await response.json()).toMatchObject({ code: "invalid-request", detail });
  });

  test("G3: a body where none is asked for has no fields", async () => {
    const ask = (method: string, body?: string) =>
      fetch(`${platform.url}/api/auth/session`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body }),
      });
    const token = await platform.signToken(roles.vendor);
    for (const method of ["POST", "DELETE"]) {
      expect((await ask(method)).status).toBe(204);
      expect((await ask(method, "{}")).status).toBe(204);
      expect((await ask(method, '{"foo":1}')).status).toBe(400);
    }
  });
});

test("E6: a body in a coding is a 415 in every service, with the one that is taken", async () => {
  for (const [path, role] of [
    ["/api/vendor/v1/orders", "service"],
    ["/api/chat/conversations", "buyer"],
    ["/api/driver/driver-1/location", "driver"],
  ] as const) {
    for (const coding of ["br", "gzip"]) {
      const response = await fetch(platform.url + path, {
        method: "POST",
        headers: {
          authorization: `Bearer ${await platform.signToken({ role, sub: "driver-1" })}`,
          "content-type": "application/json",
          "content-encoding": coding,
        },
        body: JSON.stringify({ lat: 1, lng: 1 }),
      });
      expect([path, response.status]).toEqual([path, 415]);
      expect(response.headers.get("accept-encoding")).toBe("identity");
      expect(await response.json()).toMatchObject({ code: "unsupported-media-type" });
    }
  }
});

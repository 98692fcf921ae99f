import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PROBLEMS } from "@localstreet/contracts/problem";
import { openEventStream } from "@localstreet/testkit/sse-client";
import { until } from "@localstreet/testkit/wait";
import { openSocket } from "@localstreet/testkit/ws-client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { expectProblem, type GatewayStage, sendRaw, startGatewayStage } from "./gateway-stage.ts";

let stage: GatewayStage;
let gateway: GatewayStage["gateway"];
let url: string;
let seen: GatewayStage["seen"];

beforeAll(async () => {
  stage = await startGatewayStage();
  ({ gateway, url, seen } = stage);
});

beforeEach(() => {
  seen.length = 0;
});

afterAll(() => stage?.stop());

test.each([
  ["/api/vendor/v1/orders", "notification-sse"],
  ["/api/auth/session", "notification-sse"],
  ["/api/chat/conversations", "chat-ws"],
  ["/api/deliveries/d1", "tracking-fanout"],
  ["/api/tracking/other", "tracking-fanout"],
])("G4: %s is answered by a replica of %s, whose name comes through", async (path, service) => {
  const response = await fetch(url + path);
  expect(response.status).toBe(200);
  expect(response.headers.get("localstreet-replica")).toMatch(new RegExp(`^${service}-\\d$`));
});

test("G4: requests are spread over the replicas", async () => {
  for (let i = 0; i < 6; i++) await fetch(`${url}/api/chat/conversations`);
  expect(new Set(seen.map((request) => request.replica))).toEqual(
    new Set(["chat-ws-1", "chat-ws-2"]),
  );
});

test("a replica that does not listen costs no request, a POST included", async () => {
  for (let i = 0; i < 8; i++) {
    const response = await fetch(`${url}/api/tracking/x`, { method: "POST", body: "{}" });
    expect(response.status).toBe(200);
  }
});

test("a request that a dead replica may have carried out is repeated only when that is harmless", async () => {
  const get = await fetch(`${url}/api/chat/broken`);
  await expectProblem(get, "bad-gateway");
  expect(seen).toHaveLength(2);
  seen.length = 0;
  const post = await fetch(`${url}/api/chat/broken`, { method: "POST", body: "{}" });
  await expectProblem(post, "bad-gateway");
  expect(seen).toHaveLength(1);
});

test("E17: a body that came with its head is kept and may be repeated, one that follows is passed on as it comes", async () => {
  const put = await fetch(`${url}/api/chat/broken`, { method: "PUT", body: "{}" });
  await expectProblem(put, "bad-gateway");
  expect(seen).toHaveLength(2);
  seen.length = 0;
  const head = (path: string) => `PUT ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n`;
  const late = await sendRaw(gateway.port, `${head("/api/chat/broken")}Connection: close\r\n\r\n`, {
    when: () => seen.length > 0,
    text: "{}",
  });
  expect(late).toMatch(/^HTTP\/1\.1 502 /);
  expect(seen).toHaveLength(1);
  seen.length = 0;
  // The dead replica of this service is asked in turn.
  for (let count = 1; count <= 8; count += 1) {
    const text = `${head("/api/tracking/x")}Connection: close\r\n\r\n`;
    const answer = await sendRaw(gateway.port, text, {
      when: () => seen.length === count,
      text: "{}",
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  }
  expect(seen.map(({ body }) => body)).toEqual(Array.from({ length: 8 }, () => "{}"));
});

test("a replica that failed is asked again at once: what failed may have been the request", async () => {
  await fetch(`${url}/api/chat/broken`);
  seen.length = 0;
  for (let i = 0; i < 6; i++) {
    expect((await fetch(`${url}/api/chat/conversations`)).status).toBe(200);
  }
  expect(new Set(seen.map((request) => request.replica)).size).toBe(2);
});

test("E1: a service without a living replica is a 502 with a code and a time to come back", async () => {
  const response = await fetch(`${url}/api/driver/d1/location`, { method: "POST", body: "{}" });
  expect(response.headers.get("retry-after")).toBe("2");
  await expectProblem(response, "bad-gateway");
});

test("E1: what no service owns is a 404 with a code", async () => {
  for (const path of ["/api/other", "/api", "/apiary", "/nothing.js", "/-/problem/timeout"]) {
    const response = await fetch(url + path);
    expect(response.status, path).toBe(404);
    await expectProblem(response, "not-found");
  }
  expect(seen).toEqual([]);
});

test("E1: a request that is no HTTP is a 400 with a code", async () => {
  const answer = await sendRaw(gateway.port, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toContain('"code":"invalid-request"');
});

test("E6: a body over 16 KiB is refused before it reaches a service", async () => {
  const fits = await fetch(`${url}/api/chat/x`, { method: "POST", body: "x".repeat(16 * 1024) });
  expect(fits.status).toBe(200);
  seen.length = 0;
  const large = await fetch(`${url}/api/chat/x`, {
    method: "POST",
    body: "x".repeat(16 * 1024 + 1),
  });
  await expectProblem(large, "too-large");
  expect(seen).toEqual([]);
  const chunk = `5000\r\n${"x".repeat(0x5000)}\r\n0\r\n\r\n`;
  const unstated = await sendRaw(
    gateway.port,
    `POST /api/chat/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk}`,
  );
  expect(unstated).toMatch(/^HTTP\/1\.1 413 /);
  expect(unstated).toContain('"code":"too-large"');
  expect(seen.filter(({ body }) => body.length > 16 * 1024)).toEqual([]);
});

test("E6: a batch of orders may have 256 KiB", async () => {
  const post = (bytes: number) =>
    fetch(`${url}/api/vendor/v1/orders/batch`, { method: "POST", body: "x".repeat(bytes) });
  expect((await post(256 * 1024)).status).toBe(200);
  expect(seen[0]?.body).toHaveLength(256 * 1024);
  await expectProblem(await post(256 * 1024 + 1), "too-large");
});

test("E5: an event stream that cannot be served is told so in an event, and when to come back", async () => {
  const refused = async () => await openEventStream(`${url}/api/driver/d1/anything`);
  const streams = await Promise.all([refused(), refused(), refused(), refused()]);
  for (const stream of streams) {
    await stream.ended;
    expect(stream.response.status).toBe(200);
    expect(stream.response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(stream.response.headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(stream.response.headers.get("x-accel-buffering")).toBe("no");
    expect(stream.events).toHaveLength(1);
    expect(stream.events[0]?.event).toBe("error");
    expect(JSON.parse(stream.events[0]?.data as string)).toEqual({
      code: "bad-gateway",
      message: PROBLEMS["bad-gateway"].title,
      retryable: true,
    });
  }
  const retries = streams.flatMap((stream) => stream.retries);
  expect(retries).toHaveLength(4);
  for (const retry of retries) expect(retry).toBeGreaterThanOrEqual(2_000);
  expect(new Set(retries).size).toBeGreaterThan(1);
});

test("E5: an upgrade that cannot be served keeps its status, whatever it accepts", async () => {
  const upgrade = [
    "GET /api/driver/d1/ws HTTP/1.1",
    "Host: a",
    "Accept: text/event-stream",
    "Upgrade: websocket",
    "Connection: Upgrade",
  ];
  const last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const response = await sendRaw(gateway.port, `${upgrade.join("\r\n")}\r\n\r\n${last}`);
  expect(response).toMatch(/^HTTP\/1.1 502 /);
});

test("E8: more connections from one address than allowed are a 429", async () => {
  const streams = await Promise.all(
    Array.from({ length: 12 }, () => openEventStream(`${url}/api/vendor/v1/notifications/stream`)),
  );
  try {
    const refused = await fetch(`${url}/api/chat/conversations`);
    expect(refused.headers.get("retry-after")).toBe("10");
    await expectProblem(refused, "too-many-connections");
    const stream = await openEventStream(`${url}/api/vendor/v1/notifications/stream`);
    await stream.ended;
    expect(stream.response.status).toBe(200);
    expect(JSON.parse(stream.events[0]?.data as string).code).toBe("too-many-connections");
    expect(stream.retries[0]).toBeGreaterThanOrEqual(10_000);
  } finally {
    for (const stream of streams) stream.close();
  }
  await until(async () => (await fetch(`${url}/api/chat/conversations`)).status === 200, {
    what: "closed connections are free again",
  });
});

test("S4: the first bytes of a stream come through at once, and the stream stays open", async () => {
  const stream = await openEventStream(`${url}/api/vendor/v1/notifications/stream`);
  await stream.next((event) => event.event === "first", 1_000);
  expect(stream.retries).toEqual([1_000]);
  stream.close();
});

test("C1 T5: WebSockets pass, and an upgrade elsewhere does not", async () => {
  for (const path of ["/api/chat/ws", "/api/tracking/ws"]) {
    const socket = await openSocket(`ws://127.0.0.1:${gateway.port}${path}`);
    expect(await socket.next((frame) => frame.type === "hello")).toMatchObject({ url: path });
    socket.send({ type: "echo" });
    await socket.next((frame) => frame.type === "echo");
    socket.close();
    await socket.closed;
  }
  await expect(openSocket(`ws://127.0.0.1:${gateway.port}/api/chat/other`)).rejects.toThrow("200");
});

test("O1: the services' inner routes are not reachable, however they are spelled", async () => {
  for (const path of ["/metrics", "/healthz", "/readyz", "/readyz/", "//metrics"]) {
    await expectProblem(await fetch(url + path), "not-found");
  }
  const climbing = ["/api/chat/../../metrics", "/api/chat/%2e%2e/%2e%2e/metrics"];
  for (const path of climbing) {
    const answer = await sendRaw(
      gateway.port,
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
  }
  expect(seen).toEqual([]);
});

test("a service is told the client's real address, whatever the client claims", async () => {
  await fetch(`${url}/api/chat/x`, {
    headers: {
      "x-forwarded-for": "6.6.6.6",
      forwarded: "for=6.6.6.6",
      "x-forwarded-proto": "https",
    },
  });
  expect(seen[0]?.headers).toMatchObject({
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    host: `127.0.0.1:${gateway.port}`,
  });
  expect(seen[0]?.headers.forwarded).toBeUndefined();
});

test("O2: the access log holds neither queries nor tokens", async () => {
  await fetch(`${url}/api/chat/logged?token=query-secret`, {
    headers: { authorization: "Bearer header-secret", referer: "http://a/?referer-secret" },
  });
  await fetch(`${url}/api/driver/logged?token=query-secret`);
  const log = join(stage.folder, "gateway/logs/access.log");
  await until(async () => (await readFile(log, "utf8")).includes("/api/driver/logged"), {
    what: "the request is logged",
  });
  const text = await readFile(log, "utf8");
  expect(text).toContain('"path":"/api/chat/logged"');
  expect(text).not.toContain("secret");
  for (const line of text.trim().split("\n")) JSON.parse(line);
});

test("the page comes at every path of its own, with headers that guard it", async () => {
  for (const path of ["/", "/vendors/v1", "/index.html"]) {
    const page = await fetch(url + path);
    expect(page.status, path).toBe(200);
    expect(await page.text()).toContain("<title>page</title>");
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
  }
  const asset = await fetch(`${url}/assets/main-abc123.js`);
  expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  await expectProblem(await fetch(url, { method: "POST", body: "{}" }), "method-not-allowed");
});

test("the demo's directory is for this machine only", async () => {
  const answer = await fetch(`${url}/demo/directory.json`);
  expect(await answer.json()).toEqual({ demo: true });
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const foreign = await sendRaw(
    gateway.port,
    "GET /demo/directory.json HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n",
  );
  expect(foreign).toMatch(/^HTTP\/1.1 404 /);
});

test("a gateway whose master was killed leaves no worker behind, and starts again", async () => {
  await gateway.kill();
  await expect(fetch(url)).rejects.toThrow("fetch failed");
  await gateway.start();
  expect((await fetch(url)).status).toBe(200);
});

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { openEventStream } from "@localstreet/testkit/sse-client";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type GatewayStage, sendRaw, startGatewayStage } from "./gateway-stage.ts";

let stage: GatewayStage;
beforeAll(async () => {
  stage = await startGatewayStage();
});
beforeEach(() => {
  stage.seen.length = 0;
});
afterAll(() => stage?.stop());

const PATH = "/api/chat/x";
const INNER = "GET /api/vendor/smuggled/orders HTTP/1.1\r\nHost: a\r\n\r\n";

describe("E13: requests whose end is not certain", () => {
  const head = (...lines: string[]) =>
    [`POST ${PATH} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n");

  test.each([
    [
      "Content-Length and Transfer-Encoding",
      `${head("Content-Length: 6", "Transfer-Encoding: chunked")}0\r\n\r\nG`,
    ],
    [
      "Transfer-Encoding and Content-Length",
      `${head("Transfer-Encoding: chunked", "Content-Length: 4")}5c\r\n${INNER}`,
    ],
    ["two lengths", `${head("Content-Length: 0", `Content-Length: ${INNER.length}`)}${INNER}`],
    ["two lengths that agree", `${head("Content-Length: 2", "Content-Length: 2")}{}`],
    ["a list of lengths", `${head(`Content-Length: 0, ${INNER.length}`)}${INNER}`],
    ["a signed length", `${head("Content-Length: +2")}{}`],
    ["a negative length", `${head("Content-Length: -1")}{}`],
    ["a length in hexadecimal", `${head("Content-Length: 0x2")}{}`],
    ["a space before the colon", `${head("Transfer-Encoding : chunked")}0\r\n\r\n`],
    ["an unknown coding", `${head("Transfer-Encoding: xchunked")}0\r\n\r\n`],
    ["a coding after chunked", `${head("Transfer-Encoding: chunked, identity")}0\r\n\r\n`],
    ["two codings", `${head("Transfer-Encoding: chunked", "Transfer-Encoding: x")}0\r\n\r\n`],
    [
      "chunked in HTTP/1.0",
      `POST ${PATH} HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["a chunk size that is none", `${head("Transfer-Encoding: chunked")}+2\r\n{}\r\n0\r\n\r\n`],
    ["two hosts", head("Host: b")],
    ["no host", `GET ${PATH} HTTP/1.1\r\n\r\n`],
    ["NUL in a header", head("X-Note: a\0b")],
    ["a space in the path", `GET ${PATH} y HTTP/1.1\r\nHost: a\r\n\r\n`],
    ["an unknown version", `GET ${PATH} HTTP/9.1\r\nHost: a\r\n\r\n`],
  ])("E13: %s is a 400, and no service hears of it", async (_name, text) => {
    const answer = await sendRaw(stage.gateway.port, text);
    expect(answer).toMatch(/^HTTP\/1\.[01] 400 /);
    expect(answer).toContain('"code":"invalid-request"');
    expect(answer.match(/^HTTP\/1/gm)).toHaveLength(1);
    expect(stage.seen).toEqual([]);
  });

  test.each([
    ["a folded line", "X-First: 1\r\n Transfer-Encoding: chunked"],
    ["a folded line with a tab", "X-First: 1\r\n\tContent-Length: 60"],
    ["a bare LF", "X-First: 1\nX-Second: 2"],
    ["a header whose name is none", "X_First: 1\r\nX-Bad(: 2"],
  ])("E13: %s is refused, or reaches a service as one well-formed request", async (_name, line) => {
    const text = `GET ${PATH} HTTP/1.1\r\nHost: a\r\n${line}\r\nConnection: close\r\n\r\n`;
    const answer = await sendRaw(stage.gateway.port, text);
    expect(answer).toMatch(/^HTTP\/1\.1 (?:400|200) /);
    const [request, ...more] = stage.seen;
    expect(more).toEqual([]);
    if (!request) return;
    expect(request).toMatchObject({ method: "GET", url: PATH, body: "" });
    for (const name of ["transfer-encoding", "content-length", "x-bad("]) {
      expect(request.headers[name], name).toBeUndefined();
    }
  });

  test("E13: a chunk that comes late and is none is a 400, and what came before is no request", async () => {
    const text = `${head("Transfer-Encoding: chunked")}2\r\n{}\r\n`;
    const answer = await sendRaw(stage.gateway.port, text, {
      when: () => stage.seen.length === 1,
      text: "+2\r\n{}\r\n0\r\n\r\n",
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"invalid-request"');
    await until(() => stage.seen[0]?.ended === "aborted", { what: "the service gives it up" });
  });

  test("E13: a pipelined request is a request of its own, with the gateway's headers", async () => {
    const first = `${head("Content-Length: 2")}{}`;
    const second = `GET ${PATH}?second HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n`;
    await sendRaw(stage.gateway.port, first + second);
    expect(stage.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["POST", PATH, "{}"],
      ["GET", `${PATH}?second`, ""],
    ]);
    expect(stage.seen[1]?.headers["x-forwarded-for"]).toBe("127.0.0.1");
  });

  test("E13: headers that are for the next hop alone do not pass", async () => {
    const text = `GET ${PATH} HTTP/1.1\r\nHost: a\r\nConnection: close, x-request-id\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nX-Request-Id: forged\r\n\r\n`;
    await sendRaw(stage.gateway.port, text);
    expect(stage.seen).toHaveLength(1);
    expect(stage.seen[0]?.headers.upgrade).toBeUndefined();
    expect(stage.seen[0]?.headers["x-request-id"]).toMatch(/^[0-9a-f]{32}$/);
  });
});

test("E13: 200 sockets that send one byte of their head in five seconds are closed within 10 s, and nobody else waits", async () => {
  const openedAtMs = performance.now();
  const sockets: Socket[] = [];
  const closedAfterMs: number[] = [];
  for (let i = 0; i < 200; i++) {
    const socket = connect({ host: "127.0.0.1", port: stage.gateway.port });
    socket.on("error", () => {});
    socket.once("close", () => closedAfterMs.push(performance.now() - openedAtMs));
    sockets.push(socket);
  }
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  let sent = 0;
  const drip = () => {
    const byte = "GET / HTTP/1.1\r\n"[sent++ % 16] as string;
    for (const socket of sockets) if (socket.writable) socket.write(byte);
  };
  drip();
  const dripping = setInterval(drip, 5_000);
  let slowestMs = 0;
  await until(
    async () => {
      const askedAtMs = performance.now();
      expect((await fetch(stage.url + PATH)).status).toBe(200);
      slowestMs = Math.max(slowestMs, performance.now() - askedAtMs);
      return closedAfterMs.length === sockets.length;
    },
    { what: "every slow socket is closed", timeoutMs: 15_000 },
  );
  clearInterval(dripping);
  expect(Math.max(...closedAfterMs)).toBeLessThan(10_500);
  expect(slowestMs).toBeLessThan(1_000);
});

describe("E8 O1: addresses and paths that pretend", () => {
  test("E8: a forged address is no second address", async () => {
    const path = "/api/vendor/v1/notifications/stream";
    const streams = await Promise.all(
      Array.from({ length: 12 }, () => openEventStream(stage.url + path)),
    );
    try {
      for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "client-ip", "via"]) {
        const refused = await fetch(stage.url + PATH, { headers: { [name]: "9.9.9.9" } });
        expect([name, refused.status]).toEqual([name, 429]);
      }
    } finally {
      for (const stream of streams) stream.close();
    }
    await until(async () => (await fetch(stage.url + PATH)).status === 200, {
      what: "closed connections are free again",
    });
  });

  test.each([
    "/metrics",
    "//metrics",
    "/./metrics",
    "/metrics/",
    "/%6detrics",
    "/api/chat/../../metrics",
    "/api/chat/..%2f..%2fmetrics",
    "/api/chat/%2e%2e/%2e%2e/metrics",
    "/api/chat/.%2e/.%2E/healthz",
    "/api/vendor/v1/../../../readyz",
    "/-/problem/timeout",
    "/-/stream/bad-gateway",
    "/api/../-/stream/timeout",
    "/%2d/problem/timeout",
    "/../../../../etc/passwd.txt",
    "/..%2f..%2f..%2fnginx.conf",
    "/assets/..%5c..%5cnginx.conf",
    "/assets../nginx.conf",
    "/demo/../demo/..%2fplatform.json",
  ])("O1: %s shows nothing that is inside", async (path) => {
    const answer = await sendRaw(
      stage.gateway.port,
      `GET ${path} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 (?:400|404) /);
    expect(answer).toMatch(/"code":"(?:not-found|invalid-request)"/);
    expect(stage.seen).toEqual([]);
  });

  test.each([
    "/api/driver/../vendor/v1/orders",
    "/api/chat/%2e%2e/vendor/v1/orders",
    "//api//vendor/v1/orders",
    "/api/vendor/v1%2forders",
  ])("O1: %s goes to the service that its meaning names, spelled as it came", async (path) => {
    await sendRaw(
      stage.gateway.port,
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    // It has no such route: a service's routes are compared as they are spelled.
    expect(stage.seen.map(({ replica, url }) => [replica, url])).toEqual([
      ["notification-sse-1", path],
    ]);
  });

  test.each(["/%00", "/api/vendor/v1%00/orders", "/%zz", "/..", "/api/%c0%ae%c0%ae/metrics/../.."])(
    "E13: %s reaches no service and is no 500",
    async (path) => {
      const answer = await sendRaw(
        stage.gateway.port,
        `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 (?:200|400|404) /);
      expect(stage.seen).toEqual([]);
    },
  );
});

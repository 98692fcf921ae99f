import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { request } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { PROBLEMS } from "@localstreet/contracts/problem";
import { openEventStream } from "@localstreet/testkit/sse-client";
import { until } from "@localstreet/testkit/wait";
import { openSocket } from "@localstreet/testkit/ws-client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { ensureCertificate } from "../src/certificate.ts";
import { renderGatewayConfig } from "../src/gateway.ts";
import { type GatewayStage, STAGE_REQUEST_MS, startGatewayStage } from "./gateway-stage.ts";

let stage: GatewayStage;
beforeAll(async () => {
  stage = await startGatewayStage();
});
beforeEach(() => {
  stage.seen.length = 0;
});
afterAll(() => stage?.stop());

const STREAM = "/api/vendor/v1/notifications/stream";

describe("E11: what the gateway itself answers", () => {
  const dead = "/api/driver/d1/location";

  test.each([
    ["a refusal", dead, { method: "POST", body: "{}" }],
    ["the refusal of a stream", dead, { headers: { accept: "text/event-stream" } }],
    ["a 404", "/api/nothing", {}],
    ["a 413", "/api/chat/x", { method: "POST", body: "x".repeat(17_000) }],
  ])(
    "E11: %s may be read by a page of an allowed origin, and of no other",
    async (_name, path, init) => {
      const from = async (origin: string) =>
        await fetch(stage.url + path, {
          ...init,
          headers: { ...("headers" in init ? init.headers : {}), origin },
        });
      const allowed = await from("https://shop.example");
      expect(allowed.headers.get("access-control-allow-origin")).toBe("https://shop.example");
      expect(allowed.headers.get("access-control-allow-credentials")).toBe("true");
      expect(allowed.headers.get("access-control-expose-headers")).toContain("Retry-After");
      expect(allowed.headers.get("vary")).toContain("Origin");
      for (const origin of ["https://evil.example", "https://shop.example.evil.example", "null"]) {
        const refused = await from(origin);
        expect([origin, refused.headers.get("access-control-allow-origin")]).toEqual([
          origin,
          null,
        ]);
        expect(refused.headers.get("access-control-allow-credentials")).toBeNull();
        expect(refused.headers.get("vary")).toContain("Origin");
      }
    },
  );

  test("E11: nothing is added to what a service answers, which says it itself", async () => {
    const headers = { origin: "https://shop.example" };
    const answer = await fetch(`${stage.url}/api/chat/x`, { headers });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    await fetch(`${stage.url}/api/chat/x`, { method: "OPTIONS", headers });
    expect(stage.seen.at(-1)).toMatchObject({ method: "OPTIONS", headers });
  });

  test("E11: an origin that is none does not become part of the configuration", () => {
    const settings = {
      listen: "127.0.0.1:1",
      upstreams: {
        "notification-sse": [],
        "chat-ws": [],
        "tracking-ingest": [],
        "tracking-fanout": [],
      },
      connectionsPerAddress: 1,
      requestsPerAddress: 10_000,
      webRoot: "/",
    };
    for (const origin of ['https://a" b; }', "https://shop.example/", "*", "null", ""]) {
      const allowedOrigins = [origin];
      expect(() => renderGatewayConfig({ ...settings, allowedOrigins })).toThrow("no origin");
    }
  });
});

describe("E14 E5: services that fall silent", () => {
  test("E14 E5: a stream that is never answered is told so, and when to come back", async () => {
    const stream = await openEventStream(`${stage.url}/api/vendor/silent/notifications/stream`);
    await stream.ended;
    expect(stream.response.status).toBe(200);
    expect(JSON.parse(stream.events[0]?.data as string)).toEqual({
      code: "timeout",
      message: PROBLEMS.timeout.title,
      retryable: true,
    });
    expect(stream.retries[0]).toBeGreaterThanOrEqual(2_000);
  });

  test("E14: one that stops in the middle is ended; one with keepalives goes on", async () => {
    const alive = await openEventStream(stage.url + STREAM);
    const stalled = await openEventStream(`${stage.url}/api/vendor/stalls/notifications/stream`);
    await stalled.next((event) => event.event === "first");
    await stalled.ended;
    const heard = alive.comments.length;
    await until(() => alive.comments.length > heard + 2, { what: "keepalives" });
    alive.close();
  });

  test("E14: a WebSocket that says nothing is ended", async () => {
    const socket = await openSocket(`${stage.url.replace("http", "ws")}/api/chat/ws`);
    await socket.next((frame) => frame.type === "hello");
    expect((await socket.closed).code).toBe(1006);
  });

  test("E5: what a service refuses passes as the service said it", async () => {
    const headers = { accept: "text/event-stream" };
    const answer = await fetch(`${stage.url}/api/chat/refused`, { headers });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ replica: expect.stringContaining("chat-ws") });
  });
});

async function askHttp2(
  session: ClientHttp2Session,
  path: string,
  more: OutgoingHttpHeaders = {},
): Promise<{ headers: IncomingHttpHeaders; body: string }> {
  const stream = session.request({ ":path": path, ...more });
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  return { headers, body: await text(stream) };
}

describe("E15: TLS", () => {
  const ca = () => readFileSync(stage.certificateFile);

  test("E15: HTTP/2 carries more streams than a browser opens connections, over one", async () => {
    const session = connectHttp2(stage.tlsUrl, { ca: ca() });
    const answers = Array.from({ length: 10 }, () => {
      const stream = session.request({ ":path": STREAM, accept: "text/event-stream" });
      const answer = { status: 0, text: "", headers: {} as Record<string, unknown> };
      stream.on("response", (headers) => {
        answer.status = Number(headers[":status"]);
        answer.headers = headers;
      });
      stream.on("data", (chunk) => {
        answer.text += chunk;
      });
      return answer;
    });
    await until(() => answers.every(({ text }) => text.includes("event: first")), {
      what: "ten streams",
    });
    expect(session.alpnProtocol).toBe("h2");
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(stage.seen).toHaveLength(10);
    expect(stage.seen[0]?.headers).toMatchObject({
      "x-forwarded-proto": "https",
      host: new URL(stage.tlsUrl).host,
    });
    expect(answers[0]?.headers["strict-transport-security"]).toBeUndefined();
    session.destroy();
  });

  test("E15 E8: over one HTTP/2 connection each stream counts", async () => {
    const session = connectHttp2(stage.tlsUrl, { ca: ca() });
    const texts = await Promise.all(
      Array.from({ length: 14 }, async () => {
        const stream = session.request({ ":path": STREAM, accept: "text/event-stream" });
        return await new Promise<string>((resolve) => stream.once("data", (d) => resolve(`${d}`)));
      }),
    );
    expect(texts.filter((text) => text.includes("too-many-connections"))).toHaveLength(2);
    session.destroy();
    await until(async () => (await fetch(`${stage.url}/api/chat/x`)).status === 200, {
      what: "closed streams are free again",
    });
  });

  test.each([
    ["one of 20 KiB", { "x-large": "~".repeat(20_000) }],
    [
      "eight of 15 KB",
      Object.fromEntries([..."abcdefgh"].map((name) => [name, "~".repeat(15_000)])),
    ],
  ])("E15 E16: too large headers end a connection of HTTP/2: %s", async (_name, headers) => {
    const session = connectHttp2(stage.tlsUrl, { ca: ca(), maxSendHeaderBlockLength: 200_000 });
    const gone = once(session, "goaway");
    session.on("error", () => {});
    const stream = session.request({ ":path": "/api/chat/x", ...headers });
    stream.on("error", () => {});
    expect((await gone)[0]).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(stage.seen).toEqual([]);
    session.destroy();
  });

  test("E15 E17: a body that drips over HTTP/2 reaches its service, which ends it in time", async () => {
    const session = connectHttp2(stage.tlsUrl, { ca: ca() });
    const stream = session.request({ ":path": "/api/chat/x", ":method": "POST" });
    const dripping = setInterval(() => stream.writable && stream.write("x"), 100);
    const startMs = performance.now();
    const [headers] = (await once(stream, "response").finally(() => clearInterval(dripping))) as [
      IncomingHttpHeaders,
    ];
    expect(headers[":status"]).toBe(408);
    expect(performance.now() - startMs).toBeLessThan(STAGE_REQUEST_MS + 3_000);
    session.destroy();
  });

  test("E15 E18: over HTTP/2, which has no upgrades, a refusal offers none", async () => {
    const session = connectHttp2(stage.tlsUrl, { ca: ca() });
    const { headers } = await askHttp2(session, "/api/chat/offers-upgrade");
    expect(headers[":status"]).toBe(426);
    expect(headers["sec-websocket-version"]).toBe("13");
    expect(headers.upgrade).toBeUndefined();
    session.destroy();
    const plain = await fetch(`${stage.url}/api/chat/offers-upgrade`);
    expect(plain.headers.get("upgrade")).toBe("websocket");
    const other = await fetch(`${stage.url}/api/chat/x`);
    expect(other.headers.get("upgrade")).toBeNull();
  });

  test("E15 C1: HTTP/1.1 and WebSockets are served on the same port, with TLS 1.2 or newer", async () => {
    const protocol = await new Promise((resolve, reject) => {
      const options = { ca: ca(), ALPNProtocols: ["http/1.1"] };
      request(`${stage.tlsUrl}/api/chat/x`, options, (response) => {
        resolve(response.httpVersion);
        response.resume();
      })
        .once("error", reject)
        .end();
    });
    expect(protocol).toBe("1.1");
    const socket = new WebSocket(`${stage.tlsUrl.replace("http", "ws")}/api/chat/ws`, { ca: ca() });
    const hello = await new Promise((resolve, reject) => {
      socket.once("message", (data) => resolve(JSON.parse(String(data))));
      socket.once("error", reject);
    });
    expect(hello).toMatchObject({ type: "hello", url: "/api/chat/ws" });
    socket.terminate();
    const old = request(stage.tlsUrl, {
      ca: ca(),
      maxVersion: "TLSv1.1",
      minVersion: "TLSv1",
      ciphers: "DEFAULT@SECLEVEL=0",
    }).end();
    const error = await new Promise((resolve) => old.once("error", resolve));
    expect(String(error)).toMatch(/protocol version|unsupported protocol/);
  });

  test("E15 E1: plain HTTP on that port is a 400 with a code", async () => {
    const answer = await fetch(stage.tlsUrl.replace("https", "http"));
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "invalid-request" });
  });

  test("E15: the certificate is for this machine, kept, and made anew before it ends", async () => {
    const dir = join(stage.folder, "kept");
    const logFile = join(stage.folder, "openssl.log");
    const { certificateFile, keyFile } = await ensureCertificate(dir, { logFile });
    const certificate = new X509Certificate(readFileSync(certificateFile));
    expect(certificate.subjectAltName).toBe("DNS:localhost, IP Address:127.0.0.1");
    expect(certificate.checkIssued(certificate)).toBe(true);
    expect(statSync(keyFile).mode & 0o077).toBe(0);
    const serial = () => new X509Certificate(readFileSync(certificateFile)).serialNumber;
    const first = serial();
    const endMs = Date.parse(certificate.validTo);
    await ensureCertificate(dir, { logFile, nowMs: endMs - 31 * 86_400_000 });
    expect(serial()).toBe(first);
    await ensureCertificate(dir, { logFile, nowMs: endMs - 29 * 86_400_000 });
    expect(serial()).not.toBe(first);
    writeFileSync(keyFile, "half a key");
    await ensureCertificate(dir, { logFile });
    const renewed = new X509Certificate(readFileSync(certificateFile));
    expect(renewed.serialNumber).not.toBe(first);
  });
});

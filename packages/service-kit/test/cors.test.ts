import { openSseConnection } from "@localstreet/fanout/sse-connection";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { commonEnv, readConfig } from "../src/config.ts";
import { isOrigin } from "../src/cors.ts";
import { type RunningService, startService } from "../src/service.ts";

const SHOP = "https://shop.example";
const FOREIGN = [
  "https://evil.example",
  "https://shop.example.evil.example",
  "null",
  `${SHOP}:8443`,
];

async function start(allowedOrigins: string): Promise<RunningService> {
  return await startService({
    name: "demo",
    config: readConfig(z.object(commonEnv), {
      PORT: "0",
      ADMIN_PORT: "0",
      REPLICA_NAME: "demo-1",
      LOG_LEVEL: "silent",
      AUTH_JWT_SECRET: "a-secret-of-at-least-thirty-two-bytes",
      ALLOWED_ORIGINS: allowedOrigins,
    }),
    async buildApp(kit) {
      kit.http.get("/answer", async () => ({}));
      kit.http.get("/refused", async () => {
        throw Object.assign(new Error("no answer"), { retryable: true });
      });
      kit.http.get("/stream", (_request, reply) => {
        reply.hijack();
        openSseConnection(reply.raw, { outboxBytes: 1_000, firstBytes: "data: 1\n\n" }).end();
      });
      return { async drain() {}, async close() {} };
    },
  });
}

let service: RunningService;
beforeAll(async () => {
  service = await start(`${SHOP}, http://localhost:5173`);
});
afterAll(() => service.stop());

const read = async (path: string, headers: Record<string, string>, method = "GET") => {
  const response = await fetch(service.url + path, { method, headers });
  await response.text();
  return response;
};

describe("E11: answers that a page may read", () => {
  test.each([
    ["an answer", "/answer", 200, {}],
    ["a stream that is written past the framework", "/stream", 200, {}],
    ["a refusal", "/refused", 503, {}],
    ["the refusal of a stream", "/refused", 200, { accept: "text/event-stream" }],
    ["a 404", "/nothing", 404, {}],
  ])("E11: %s, by allowed origins alone", async (_name, path, status, headers) => {
    for (const origin of [SHOP, "http://localhost:5173"]) {
      const response = await read(path, { ...headers, origin });
      expect(response.status).toBe(status);
      expect(response.headers.get("access-control-allow-origin")).toBe(origin);
      expect(response.headers.get("access-control-allow-credentials")).toBe("true");
      const exposed = response.headers.get("access-control-expose-headers");
      expect(exposed).toBe("Localstreet-Replica, Retry-After, Localstreet-Next-Interval");
      expect(response.headers.get("vary")).toBe("Origin");
    }
    for (const origin of FOREIGN) {
      const response = await read(path, { ...headers, origin });
      expect(response.status).toBe(status);
      expect([origin, response.headers.get("access-control-allow-origin")]).toEqual([origin, null]);
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
      expect(response.headers.get("vary")).toBe("Origin");
    }
  });

  test("E11: what a cache keeps for one origin is not given to another, also without any", async () => {
    expect((await read("/answer", {})).headers.get("vary")).toBe("Origin");
  });

  test("E11: without allowed origins nobody is let in, and never with a wildcard", async () => {
    const closed = await start("");
    const response = await fetch(`${closed.url}/answer`, { headers: { origin: SHOP } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    await closed.stop();
  });
});

describe("E12: preflights", () => {
  const ask = (origin: string, path = "/answer") =>
    read(
      path,
      {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,last-event-id",
      },
      "OPTIONS",
    );

  test("E12: one of an allowed origin is 204, for any path", async () => {
    for (const path of ["/answer", "/nothing"]) {
      const response = await ask(SHOP, path);
      expect(response.status).toBe(204);
      expect(response.headers.get("access-control-allow-origin")).toBe(SHOP);
      expect(response.headers.get("access-control-allow-credentials")).toBe("true");
      expect(response.headers.get("access-control-allow-methods")).toBe("GET, POST, PUT, DELETE");
      expect(response.headers.get("access-control-allow-headers")?.toLowerCase()).toBe(
        "authorization, content-type, last-event-id, idempotency-key",
      );
      expect(Number(response.headers.get("access-control-max-age"))).toBeGreaterThan(0);
      expect(response.headers.get("vary")).toBe("Origin");
    }
  });

  test("E12: one of another origin is 403", async () => {
    for (const origin of FOREIGN) {
      const response = await ask(origin);
      expect([origin, response.status]).toEqual([origin, 403]);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      expect(response.headers.get("access-control-allow-methods")).toBeNull();
    }
  });
});

test.each([
  [SHOP, true],
  ["http://localhost:5173", true],
  [`${SHOP}/`, false],
  ["https://SHOP.example", false],
  ["https://shop.example:443", false],
  ["shop.example", false],
  ["null", false],
  ["*", false],
  ["file:///", false],
  ["", false],
])("%j is an origin: %s", (text, expected) => {
  expect(isOrigin(text)).toBe(expected);
});

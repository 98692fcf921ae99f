import { createServer } from "node:net";
import { Problem } from "@localstreet/contracts/problem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { commonEnv, readConfig } from "../src/config.ts";
import { parseRequest } from "../src/http.ts";
import { type RunningService, startService } from "../src/service.ts";

const config = readConfig(z.object(commonEnv), {
  PORT: "0",
  ADMIN_PORT: "0",
  REPLICA_NAME: "demo-1",
  LOG_LEVEL: "silent",
  AUTH_JWT_SECRET: "a-secret-of-at-least-thirty-two-bytes",
});
const bodySchema = z.strictObject({ name: z.string() });

let service: RunningService;

beforeAll(async () => {
  service = await startService({
    name: "demo",
    config,
    async buildApp(kit) {
      kit.http.post("/echo", async (request) => parseRequest(bodySchema, request.body));
      kit.http.get("/refuse/:code", async (request) => {
        const { code } = request.params as { code: "unavailable" };
        throw new Problem(code, undefined, { retryAfterMs: 2_500 });
      });
      kit.http.get("/crash", async () => {
        throw new Error("a bug with a secret in it");
      });
      kit.http.get("/store", async () => {
        throw Object.assign(new Error("no answer"), { retryable: true });
      });
      return {
        async drain() {},
        async close() {},
      };
    },
  });
});
afterAll(() => service.stop());

function post(body: string | Buffer, type = "application/json"): Promise<Response> {
  return fetch(`${service.url}/echo`, {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
}

describe("E1: errors are problem details", () => {
  test.each([
    ["malformed JSON", "{", 400, "invalid-request"],
    ["an empty body", "", 400, "invalid-request"],
    ["no UTF-8", Buffer.from('{"name":"\xff"}', "latin1"), 400, "invalid-request"],
    ["a polluting key", '{"name":"a","__proto__":{"x":1}}', 400, "invalid-request"],
    ["G3: an unknown field", '{"name":"a","more":1}', 400, "invalid-request"],
  ])("E1: %s", async (_name, body, status, code) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toContain("application/problem+json");
    expect(await response.json()).toMatchObject({ type: "about:blank", status, code });
  });

  test("E1: the faults of a body are told with their paths", async () => {
    const response = await post('{"name":1}');
    expect(await response.json()).toMatchObject({ issues: [{ path: "name" }] });
  });

  test("E1: another media type, and a route that is not there", async () => {
    expect((await post("name=a", "application/x-www-form-urlencoded")).status).toBe(415);
    const response = await fetch(`${service.url}/nothing`);
    expect(await response.json()).toMatchObject({ status: 404, code: "not-found" });
    const broken = await fetch(`${service.url}/%zz`);
    expect(await broken.json()).toMatchObject({ status: 400, code: "invalid-request" });
  });

  test("E1: our own bug is a 500 that tells nothing", async () => {
    const response = await fetch(`${service.url}/crash`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
  });

  test("E7: a store that is away is a 503 with Retry-After", async () => {
    const response = await fetch(`${service.url}/store`);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ code: "unavailable" });
  });
});

test("E6: a body of 16 KiB is taken, one byte more is 413", async () => {
  const body = (bytes: number) =>
    JSON.stringify({ name: "x".repeat(bytes - '{"name":""}'.length) });
  expect((await post(body(16 * 1024))).status).toBe(200);
  const response = await post(body(16 * 1024 + 1));
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ code: "too-large" });
});

describe("E5: refusals of a stream", () => {
  const headers = { accept: "text/event-stream" };
  test.each([
    "rate-limited",
    "too-many-connections",
    "bad-gateway",
    "unavailable",
    "draining",
    "timeout",
  ])("E5: %s is 200, a jittered retry, an error event and the end", async (code) => {
    const texts = await Promise.all(
      [1, 2, 3].map(async () => {
        const response = await fetch(`${service.url}/refuse/${code}`, { headers });
        expect(response.status).toBe(200);
        expect(response.headers.get("content-type")).toContain("text/event-stream");
        expect(response.headers.get("x-accel-buffering")).toBe("no");
        return await response.text();
      }),
    );
    for (const text of texts) {
      expect(text).toMatch(/^retry: \d+\nevent: error\ndata: \{"code":"[a-z-]+".*\}\n\n$/);
      expect(text).toContain(`"code":"${code}"`);
    }
    expect(new Set(texts).size).toBeGreaterThan(1);
  });
  test("A8: a token that has expired is 200 with retry: 15000", async () => {
    const response = await fetch(`${service.url}/refuse/token-expired`, { headers });
    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(/^retry: 15000\nevent: error\ndata: .*token-expired/);
  });
  test.each([
    ["unauthenticated", 401],
    ["forbidden", 403],
    ["not-found", 404],
  ])("E5: %s keeps its status", async (code, status) => {
    const response = await fetch(`${service.url}/refuse/${code}`, { headers });
    expect(response.status).toBe(status);
  });
  test("E5: without the Accept header it is a problem with Retry-After", async () => {
    const response = await fetch(`${service.url}/refuse/unavailable`);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("3");
  });
});

test("G4: every answer names the replica", async () => {
  for (const path of ["/nothing", "/crash"]) {
    const response = await fetch(service.url + path);
    expect(response.headers.get("localstreet-replica")).toBe("demo-1");
  }
});

describe("O1: the inner port", () => {
  test("O1: healthz, readyz and metrics are there, and not on the outer port", async () => {
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      expect((await fetch(service.adminUrl + path)).status).toBe(200);
      expect((await fetch(service.url + path)).status).toBe(404);
    }
    expect(await (await fetch(`${service.adminUrl}/metrics`)).text()).toContain('replica="demo-1"');
  });

  test("O1: readyz is off while starting and while draining", async () => {
    const mayBuild = gate();
    const mayEnd = gate();
    const port = await freePort();
    const ready = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        (response) => response.status,
        () => "not listening",
      );
    const starting = startService({
      name: "demo",
      config: { ...config, ADMIN_PORT: port },
      async buildApp() {
        await mayBuild.opened;
        return { drain: () => mayEnd.opened, async close() {} };
      },
    });
    await expect.poll(ready).toBe(503);
    mayBuild.open();
    const other = await starting;
    expect(await ready()).toBe(200);
    const draining = other.drain(1_000);
    expect(await ready()).toBe(503);
    await expect(fetch(other.url)).rejects.toThrow();
    mayEnd.open();
    await draining;
    expect(await ready()).toBe("not listening");
  });
});

test("a request that is under way is answered while draining", async () => {
  const arrived = gate();
  const released = gate();
  const other = await startService({
    name: "demo",
    config,
    async buildApp(kit) {
      kit.http.get("/slow", async () => {
        arrived.open();
        await released.opened;
        return { served: true };
      });
      return { drain: async () => released.open(), async close() {} };
    },
  });
  const answer = fetch(`${other.url}/slow`);
  await arrived.opened;
  await other.drain(1_000);
  expect(await (await answer).json()).toEqual({ served: true });
});

function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

async function freePort(): Promise<number> {
  return await new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

import { connect, createServer } from "node:net";
import { Problem } from "@localstreet/contracts/problem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { commonEnv, readConfig } from "../src/config.ts";
import { parseRequest } from "../src/http.ts";
import { type RunningService, startService } from "../src/service.ts";

const SHOP = "https://shop.example";
const config = readConfig(z.object(commonEnv), {
  PORT: "0",
  ADMIN_PORT: "0",
  REPLICA_NAME: "demo-1",
  LOG_LEVEL: "silent",
  AUTH_JWT_SECRET: "a-secret-of-at-least-thirty-two-bytes",
  ALLOWED_ORIGINS: SHOP,
  REQUEST_MS: "1500",
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
      kit.http.get("/stream", (_request, reply) => {
        reply.hijack();
        reply.raw.write("data: 1\n\n");
      });
      kit.takeQueryAt("/count");
      kit.http.get("/count", async (request) =>
        parseRequest(z.strictObject({ count: z.coerce.number() }), request.query, "The query"),
      );
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

function post(
  body: string | Buffer,
  type = "application/json",
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${service.url}/echo`, {
    method: "POST",
    headers: { "content-type": type, ...headers },
    body,
  });
}

/** A connection whose bytes the test chooses. */
function openRaw() {
  const socket = connect(Number(new URL(service.url).port), "127.0.0.1");
  const raw = { socket, text: "", closed: Promise.resolve() };
  socket.on("data", (chunk) => {
    raw.text += chunk;
  });
  raw.closed = new Promise((resolve, reject) => {
    socket.once("close", () => resolve());
    socket.once("error", reject);
  });
  return raw;
}

/** What comes back for a request until the server closes the connection. */
async function sendRaw(...pieces: string[]): Promise<string> {
  const raw = openRaw();
  for (const piece of pieces) {
    if (raw.socket.writable) await new Promise((resolve) => raw.socket.write(piece, resolve));
  }
  await raw.closed;
  return raw.text;
}

function expectRawProblem(answer: string, status: number, code: string): void {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  expect(head).toMatch(`HTTP/1.1 ${status} `);
  expect(head).toMatch(/^content-type: application\/problem\+json/im);
  expect(head).toMatch(/^localstreet-replica: demo-1/im);
  expect(head).toMatch(/^vary: .*origin/im);
  expect(JSON.parse(body)).toMatchObject({ type: "about:blank", status, code });
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

describe("E6: what a body may call itself", () => {
  test.each(["br", "gzip", "GZIP", "deflate", "identity, gzip", "aes128gcm"])(
    "E6: a body in the coding %s is a 415 that names the one that is taken",
    async (coding) => {
      const headers = { "content-encoding": coding, origin: SHOP };
      const response = await post('{"name":"a"}', "application/json", headers);
      expect(response.status).toBe(415);
      expect(response.headers.get("accept-encoding")).toBe("identity");
      expect(response.headers.get("access-control-allow-origin")).toBe(SHOP);
      expect(await response.json()).toMatchObject({ code: "unsupported-media-type" });
    },
  );

  test("E6: identity is no coding, and UTF-8 the only charset", async () => {
    const plain = await post('{"name":"a"}', "application/json", {
      "content-encoding": "identity",
    });
    expect(plain.status).toBe(200);
    for (const charset of ["utf-8", "UTF-8", '"utf-8"', "utf8"]) {
      const taken = await post('{"name":"a"}', `application/json; charset=${charset}`);
      expect([charset, taken.status]).toEqual([charset, 200]);
    }
    for (const charset of ["utf-16", "iso-8859-1", "utf-8x", "x"]) {
      const refused = await post('{"name":"a"}', `application/json;charset=${charset}`);
      expect([charset, refused.status]).toEqual([charset, 415]);
      // It would say that the coding was wrong.
      expect(refused.headers.get("accept-encoding")).toBeNull();
    }
  });
});

describe("G3: queries", () => {
  test.each(["foo=1", "token=a", "__proto__=1", "=", "constructor=1"])(
    "G3: a route that takes no query refuses %s",
    async (query) => {
      const response = await fetch(`${service.url}/stream?${query}`);
      expect(response.status).toBe(400);
      const detail = "The query does not match its schema";
      expect(await response.json()).toMatchObject({ code: "invalid-request", detail });
      const body = await fetch(`${service.url}/echo?${query}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"name":"a"}',
      });
      expect(body.status).toBe(400);
    },
  );

  test("G3: a route that takes one parses it itself, and an empty one is none", async () => {
    expect(await (await fetch(`${service.url}/count?count=2`)).json()).toEqual({ count: 2 });
    expect((await fetch(`${service.url}/count?count=2&more=1`)).status).toBe(400);
    expect((await fetch(`${service.url}/refuse/not-found?`)).status).toBe(404);
    expect((await fetch(`${service.url}/nothing?foo=1`)).status).toBe(404);
  });
});

describe("E16 E17: requests that cannot be read", () => {
  const head = (...lines: string[]) =>
    ["POST /echo HTTP/1.1", "Host: a", "Content-Type: application/json", ...lines, "", ""].join(
      "\r\n",
    );
  const filled = (bytes: number) => "x".repeat(bytes);

  test("E16: headers of 30 KiB are taken, and more than 32 KiB are a 431 with a code", async () => {
    const lines = ["Connection: close", "Content-Length: 12", `X-A: ${filled(15_000)}`];
    const fits = await sendRaw(`${head(...lines, `X-B: ${filled(15_000)}`)}{"name":"a"}`);
    expect(fits).toMatch(/^HTTP\/1\.1 200 /);
    const large = await sendRaw(`${head(...lines, `X-B: ${filled(20_000)}`)}{"name":"a"}`);
    expectRawProblem(large, 431, "headers-too-large");
  });

  test("E16: one who still sends hears the answer, and is cut off all the same", async () => {
    const piece = `X-A: ${filled(50_000)}\r\n`;
    const answer = await sendRaw(head().slice(0, -2), ...Array.from({ length: 40 }, () => piece));
    expectRawProblem(answer, 431, "headers-too-large");
  });

  test("E1: what is no HTTP is a 400 with a code", async () => {
    expectRawProblem(await sendRaw("NO SUCH THING\r\n\r\n"), 400, "invalid-request");
    const chunked = head("Transfer-Encoding: chunked", `Origin: ${SHOP}`);
    const answer = await sendRaw(`${chunked}zz\r\n{}`);
    expectRawProblem(answer, 400, "invalid-request");
    expect(answer).toMatch(/^access-control-allow-origin: https:\/\/shop\.example/im);
  });

  test("E17: a body that drips is ended with 408 when its time is over", async () => {
    const raw = openRaw();
    const startMs = performance.now();
    raw.socket.write(`${head("Content-Length: 500", `Origin: ${SHOP}`)}{`);
    const dripping = setInterval(() => raw.socket.writable && raw.socket.write(" "), 100);
    await raw.closed.finally(() => clearInterval(dripping));
    expectRawProblem(raw.text, 408, "request-timeout");
    expect(raw.text).toMatch(/^access-control-allow-origin: https:\/\/shop\.example/im);
    expect(raw.text).toMatch(/^retry-after: 1/im);
    expect(performance.now() - startMs).toBeLessThan(4_000);
  });

  test("E17: so is one whose answer was given before, and a head that never ends", async () => {
    const answered = openRaw();
    answered.socket.write("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{");
    const dripping = setInterval(() => answered.socket.writable && answered.socket.write(" "), 100);
    await answered.closed.finally(() => clearInterval(dripping));
    expect(answered.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(answered.text).toMatch(/^HTTP\/1\.1 404 /);
    expectRawProblem(await sendRaw("GET / HTTP/1.1\r\nHost:"), 408, "request-timeout");
  });

  test("E1: what follows a request that is being answered does not write into its answer", async () => {
    const raw = openRaw();
    raw.socket.write("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    await expect.poll(() => raw.text).toContain("data: 1");
    raw.socket.write("NO SUCH THING\r\n\r\n");
    await raw.closed;
    expect(raw.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

test("G4 E11: an address that cannot be decoded is answered like all else", async () => {
  const response = await fetch(`${service.url}/refuse/%ff`, { headers: { origin: SHOP } });
  expect(response.status).toBe(400);
  expect(response.headers.get("localstreet-replica")).toBe("demo-1");
  expect(response.headers.get("access-control-allow-origin")).toBe(SHOP);
  expect(response.headers.get("vary")).toBe("Origin");
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

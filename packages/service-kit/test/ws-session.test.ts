import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { authenticateFrameSchema } from "@localstreet/contracts/chat";
import { Problem } from "@localstreet/contracts/problem";
import { encodeTextFrame } from "@localstreet/fanout/ws-connection";
import { createPasswords } from "@localstreet/stores/credentials";
import { type RedisServer, startRedis } from "@localstreet/stores/redis-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { z } from "zod";
import type { Principal } from "../src/auth.ts";
import { commonEnv, readConfig, redisEnv, socketEnv } from "../src/config.ts";
import { openConnectionLeases } from "../src/connection-leases.ts";
import { openRedis } from "../src/redis.ts";
import { openingsRate } from "../src/request-limits.ts";
import { type RunningService, startService } from "../src/service.ts";
import { openSharedRates } from "../src/shared-rate.ts";
import { signToken } from "../src/sign-token.ts";
import { registerSocketRoute, type SocketRoute } from "../src/ws-session.ts";

const SECRET = "a-secret-of-at-least-thirty-two-bytes";
const sayFrameSchema = z.strictObject({
  type: z.literal("say"),
  ref: z.int().min(0).optional(),
  text: z.string(),
});
const frameSchema = z.discriminatedUnion("type", [authenticateFrameSchema, sayFrameSchema]);

let folder: string;
let redisServer: RedisServer;

function startEcho(
  env: Record<string, string> = {},
  beforeAuthentication?: () => Promise<void>,
): Promise<RunningService> {
  return startService({
    name: "echo",
    config: readConfig(z.object({ ...commonEnv, ...socketEnv, ...redisEnv }), {
      PORT: "0",
      ADMIN_PORT: "0",
      REPLICA_NAME: "echo-1",
      LOG_LEVEL: "silent",
      AUTH_JWT_SECRET: SECRET,
      REDIS_URL: redisServer.url("chat-ws"),
      CONNECTIONS_PER_USER: "10000",
      OPENINGS_PER_SECOND: "10000",
      OPENINGS_BURST: "10000",
      ALLOWED_ORIGINS: "https://shop.example",
      ...env,
    }),
    async buildApp(kit) {
      const { config, logger, metrics } = kit;
      const redis = await openRedis(kit);
      const leases = openConnectionLeases({
        redis,
        service: "chat-ws",
        leaseMs: config.LEASE_MS,
        refreshMs: config.LEASE_REFRESH_MS,
        logger,
        metrics,
      });
      const rates = openSharedRates({
        redis,
        service: "chat-ws",
        waitMs: config.RATE_WAIT_MS,
        logger,
        metrics,
      });
      const openings = openingsRate(config, rates);
      const { authenticateUpgrade } = kit.authenticator;
      kit.http.get("/plain", async () => ({}));
      const authenticator = {
        ...kit.authenticator,
        authenticateUpgrade: async (...request: Parameters<typeof authenticateUpgrade>) => {
          await beforeAuthentication?.();
          return await authenticateUpgrade(...request);
        },
      };
      const route: SocketRoute = await registerSocketRoute(
        { ...kit, authenticator },
        {
          path: "/ws",
          leases,
          openings,
          roles: ["buyer", "vendor"],
          frameSchema,
          onOpen({ principal }: { principal: Principal }) {
            if (principal.personId === "bug") throw new Error("a secret of ours");
            return { said: 0 };
          },
          async onFrame(session, frame) {
            // The later frame of a client must not overtake the earlier, slower one.
            if (frame.text === "slow") await new Promise((resolve) => setTimeout(resolve, 20));
            if (frame.text === "refuse") throw new Problem("not-found");
            if (frame.text === "store") throw Object.assign(new Error("away"), { retryable: true });
            if (frame.text === "bug") throw new Error("a secret of ours");
            if (frame.text === "flood") {
              const big = encodeTextFrame(
                JSON.stringify({ type: "big", text: "x".repeat(60_000) }),
              );
              for (let count = 0; count < 2_000; count += 1) session.connection.send(big);
            }
            session.data.said += 1;
            session.send({
              type: "said",
              ref: frame.ref,
              text: frame.text,
              count: session.data.said,
            });
          },
          onClose() {},
        },
      );
      return {
        drain: (windowMs) => route.drain(windowMs),
        async close() {
          route.close();
          await leases.close();
          redis.disconnect();
        },
      };
    },
  });
}

let echo: RunningService;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "localstreet-sockets-"));
  redisServer = await startRedis({ dir: folder, passwords: createPasswords() });
  echo = await startEcho();
});
afterAll(async () => {
  await echo.stop();
  await redisServer.stop();
  await rm(folder, { recursive: true, force: true });
});

const tokenFor = (role: "buyer" | "driver" = "buyer", expiresInSeconds = 600, sub = "ana") =>
  signToken({ secret: SECRET, sub, role, expiresInSeconds });

interface Frame {
  type: string;
  ref?: number;
  code?: string | number;
  text?: string;
  reconnect?: boolean;
  retryAfterMs?: number;
}

function open(service: RunningService, headers: Record<string, string> = {}) {
  const socket = new WebSocket(`${service.wsUrl}/ws`, { headers });
  const frames: Frame[] = [];
  let replica: unknown;
  socket.on("message", (data) => frames.push(JSON.parse(String(data))));
  socket.on("upgrade", (response) => {
    replica = response.headers["localstreet-replica"];
  });
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  const refused = new Promise<number>((resolve) => {
    socket.on("error", () => resolve(0));
    socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
  });
  const opened = new Promise<void>((resolve) => socket.on("open", resolve));
  return {
    socket,
    frames,
    closed,
    refused,
    opened,
    replica: () => replica,
    send: (frame: unknown) =>
      socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    frame: (matches: (frame: Frame) => boolean, timeout = 3_000) =>
      expect.poll(() => frames.find(matches), { timeout, interval: 5 }).toBeDefined(),
    typed: (type: string) => frames.filter((frame) => frame.type === type),
  };
}

async function openAuthenticated(service: RunningService) {
  const client = open(service, { authorization: `Bearer ${await tokenFor()}` });
  await client.frame(({ type }) => type === "authenticated");
  return client;
}

test("E4 E3: an error of ours while a socket is let in ends that socket with 1011, frees its place, and ends no other", async () => {
  const service = await startEcho({ CONNECTIONS_PER_USER: "1" });
  const bystander = await openAuthenticated(service);
  const token = await tokenFor("buyer", 600, "bug");
  const atUpgrade = () => open(service, { authorization: `Bearer ${token}` });
  const byFrame = () => {
    const client = open(service);
    client.opened.then(
      () => client.send({ type: "authenticate", ref: 1, token }),
      () => {},
    );
    return client;
  };
  for (const enter of [atUpgrade, byFrame, atUpgrade]) {
    const client = enter();
    expect(await client.closed).toBe(1011);
    expect(client.frames.map(({ type, code }) => [type, code])).toEqual([["goaway", 1011]]);
    expect(client.frames[0]).toMatchObject({ reconnect: true });
    expect(JSON.stringify(client.frames)).not.toContain("secret");
  }
  bystander.send({ type: "say", ref: 1, text: "still here" });
  await bystander.frame(({ text }) => text === "still here");
  await service.stop();
});

describe("A4: authentication", () => {
  test("A4 G4: at the upgrade, by a Bearer token", async () => {
    const client = await openAuthenticated(echo);
    expect(client.frames[0]).toMatchObject({ userId: "ana", pingIntervalMs: 25_000 });
    expect(client.replica()).toBe("echo-1");
    client.socket.close();
  });

  test("A4: by a first frame, whose ref the answer carries", async () => {
    const client = open(echo);
    await client.opened;
    client.send({ type: "authenticate", ref: 7, token: await tokenFor() });
    client.send({ type: "say", ref: 8, text: "hello" });
    await client.frame(({ type }) => type === "said");
    expect(client.frames.map(({ type, ref }) => [type, ref])).toEqual([
      ["authenticated", 7],
      ["said", 8],
    ]);
    client.socket.close();
  });

  test("A4: by the cookie of an allowed origin; a foreign one is 403 before the upgrade", async () => {
    const cookie = `localstreet_token=${await tokenFor()}`;
    const client = open(echo, { cookie, origin: "https://shop.example" });
    await client.frame(({ type }) => type === "authenticated");
    client.socket.close();
    for (const origin of ["https://evil.example", "null", "https://shop.example.evil.example"]) {
      expect(await open(echo, { cookie, origin }).refused).toBe(403);
    }
  });

  test("A4 A6: a bad token at the upgrade is 401, another role 403", async () => {
    expect(await open(echo, { authorization: "Bearer x.y.z" }).refused).toBe(401);
    const driver = await tokenFor("driver");
    expect(await open(echo, { authorization: `Bearer ${driver}` }).refused).toBe(403);
  });

  test("A4 E3: without a token it is closed with 4408, with a bad one 4401, another role 4403", async () => {
    const impatient = await startEcho({ AUTHENTICATE_MS: "30" });
    const silent = open(impatient);
    expect(await silent.closed).toBe(4408);
    expect(silent.frames.at(-1)).toMatchObject({ type: "goaway", code: 4408, reconnect: true });
    await impatient.stop();

    for (const [token, code] of [
      ["x.y.z", 4401],
      [await tokenFor("buyer", -1), 4401],
      [await tokenFor("driver"), 4403],
    ] as const) {
      const client = open(echo);
      await client.opened;
      client.send({ type: "authenticate", token });
      expect(await client.closed).toBe(code);
    }
    const hasty = open(echo);
    await hasty.opened;
    hasty.send({ type: "say", text: "hello" });
    expect(await hasty.closed).toBe(4401);
  });
});

/** The answer to a request that is written as it stands, until the server closes the connection or opens a WebSocket. */
async function ask(path: string, lines: readonly string[], method = "GET"): Promise<string> {
  const socket = connect(Number(new URL(echo.url).port), "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
    if (answer.startsWith("HTTP/1.1 101 ")) socket.destroy();
  });
  const closed = once(socket, "close");
  socket.write([`${method} ${path} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n"));
  await closed;
  return answer;
}

describe("E18: handshakes", () => {
  const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const VERSION = "Sec-WebSocket-Version: 13";
  const CONNECTION = "Connection: Upgrade";
  const UPGRADE = [CONNECTION, "Upgrade: websocket"];

  test.each<[string, string[], number, string]>([
    ["a plain GET", ["Connection: keep-alive"], 426, "upgrade-required"],
    [
      "a GET as of an EventSource",
      ["Accept: text/event-stream", "Connection: keep-alive"],
      426,
      "upgrade-required",
    ],
    ["another protocol", [CONNECTION, "Upgrade: h2c", KEY, VERSION], 426, "upgrade-required"],
    ["an old version", [...UPGRADE, KEY, "Sec-WebSocket-Version: 8"], 426, "upgrade-required"],
    ["no version", [...UPGRADE, KEY], 426, "upgrade-required"],
    ["no key", [...UPGRADE, VERSION], 400, "invalid-request"],
    ["a short key", [...UPGRADE, "Sec-WebSocket-Key: AAAA", VERSION], 400, "invalid-request"],
    ["two keys", [...UPGRADE, KEY, KEY, VERSION], 400, "invalid-request"],
    [
      "no list of subprotocols",
      [...UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: a,,b"],
      400,
      "invalid-request",
    ],
  ])(
    "E18 G4: %s is answered with a code by a replica with a name",
    async (_name, lines, status, code) => {
      const [head = "", body = ""] = (await ask("/ws", lines)).split("\r\n\r\n");
      expect(head).toMatch(`HTTP/1.1 ${status} `);
      expect(head).toMatch(/^content-type: application\/problem\+json/im);
      expect(head).toMatch(/^localstreet-replica: echo-1/im);
      expect(JSON.parse(body)).toMatchObject({ status, code });
      if (status !== 426) return;
      expect(head).toMatch(/^upgrade: websocket/im);
      expect(head).toMatch(/^connection: upgrade/im);
      expect(head).toMatch(/^sec-websocket-version: 13/im);
    },
  );

  test("E18: no subprotocol is chosen, whatever is offered", async () => {
    const offer = "Sec-WebSocket-Protocol: graphql-ws, chat";
    const answer = await ask("/ws", [...UPGRADE, KEY, VERSION, offer]);
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer).not.toMatch(/sec-websocket-(?:protocol|extensions)/i);
  });

  test("E18: a handshake at another address is refused, and opens nothing", async () => {
    for (const [path, method, status] of [
      ["/plain", "GET", 400],
      ["/plain", "POST", 404],
      ["/nothing", "GET", 404],
      ["/%ff", "GET", 400],
    ] as const) {
      const answer = await ask(path, [...UPGRADE, KEY, VERSION], method);
      expect([path, answer]).toEqual([path, expect.stringMatching(`^HTTP/1.1 ${status} `)]);
      expect(answer).toMatch(/^localstreet-replica: echo-1/im);
    }
  });

  test("E18 E12: a preflight that asks for an upgrade is answered, and its connection ends", async () => {
    for (const [origin, status] of [
      ["https://shop.example", 204],
      ["https://evil.example", 403],
    ] as const) {
      const preflight = [`Origin: ${origin}`, "Access-Control-Request-Method: GET"];
      const answer = await ask("/ws", [...UPGRADE, KEY, VERSION, ...preflight], "OPTIONS");
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answer).toMatch(/^connection: close/im);
    }
  });

  test("G3: a query is refused before a WebSocket is opened", async () => {
    const answer = await ask("/ws?token=a", [...UPGRADE, KEY, VERSION]);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("E4 A4: a cookie of a foreign origin is a 403, and no page's origin closes with 4403", async () => {
    const origin = "Origin: https://evil.example";
    const cookie = `Cookie: localstreet_token=${await tokenFor()}`;
    const answer = await ask("/ws", [...UPGRADE, KEY, VERSION, origin, cookie]);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain('"code":"forbidden"');
    // Without a cookie a page of any origin may speak for whom it has a token of.
    const client = open(echo, { origin: "https://evil.example" });
    await client.opened;
    client.send({ type: "authenticate", ref: 1, token: await tokenFor() });
    await client.frame(({ type }) => type === "authenticated");
    client.socket.close();
    const driver = open(echo);
    await driver.opened;
    driver.send({ type: "authenticate", token: await tokenFor("driver") });
    expect(await driver.closed).toBe(4403);
    expect(driver.frames.at(-1)).toMatchObject({ type: "goaway", code: 4403, reconnect: false });
  });
});

describe("A7: the end of a token", () => {
  test("A7: is announced, and closes the socket with 4401", async () => {
    const client = open(echo, { authorization: `Bearer ${await tokenFor("buyer", 2)}` });
    await client.frame(({ type }) => type === "token-expiring");
    expect(await client.closed).toBe(4401);
    expect(client.frames.at(-1)).toMatchObject({ type: "goaway", code: 4401, reconnect: true });
  });

  test("A7: authenticating again lengthens it, for the same person only", async () => {
    const client = open(echo, { authorization: `Bearer ${await tokenFor("buyer", 2)}` });
    await client.frame(({ type }) => type === "token-expiring");
    client.send({ type: "authenticate", ref: 1, token: await tokenFor("buyer", 600, "eve") });
    await client.frame(({ ref }) => ref === 1);
    expect(client.frames.at(-1)).toMatchObject({ type: "error", code: "forbidden" });
    client.send({ type: "authenticate", ref: 2, token: await tokenFor() });
    await client.frame(({ type, ref }) => type === "authenticated" && ref === 2);
    const stillOpen = await Promise.race([
      client.closed,
      new Promise((resolve) => setTimeout(resolve, 2_500, "open")),
    ]);
    expect(stillOpen).toBe("open");
    client.socket.close();
  });
});

describe("E2: frames", () => {
  test("E2 G3: what is malformed is answered, keeps the connection open and changes nothing", async () => {
    const client = await openAuthenticated(echo);
    const bad: [unknown, string, number?][] = [
      ["{", "invalid-request"],
      ["", "invalid-request"],
      ["null", "invalid-request"],
      ['"say"', "invalid-request"],
      [{ type: "nothing", ref: 1 }, "unknown-type", 1],
      [{ type: "say", ref: 2 }, "invalid-request", 2],
      [{ type: "say", ref: 3, text: "a", more: 1 }, "invalid-request", 3],
      [{ type: "say", ref: -1, text: "a" }, "invalid-request"],
      [{ type: "say", ref: 4, text: "refuse" }, "not-found", 4],
      [{ type: "say", ref: 5, text: "store" }, "unavailable", 5],
      [{ type: "say", ref: 6, text: "bug" }, "internal", 6],
    ];
    for (const [frame] of bad) client.send(frame);
    client.send({ type: "say", ref: 9, text: "still here" });
    await client.frame(({ ref }) => ref === 9);
    expect(client.typed("error").map(({ code, ref }) => [code, ref])).toEqual(
      bad.map(([, code, ref]) => [code, ref]),
    );
    expect(JSON.stringify(client.frames)).not.toContain("secret");
    expect(client.frames.at(-1)).toMatchObject({ count: 1 });
    client.socket.close();
  });

  test("E2: frames of one client are handled in order", async () => {
    const client = await openAuthenticated(echo);
    for (const [ref, text] of ["slow", "a", "slow", "b"].entries()) {
      client.send({ type: "say", ref, text });
    }
    await client.frame(({ ref }) => ref === 3);
    expect(client.typed("said").map(({ ref }) => ref)).toEqual([0, 1, 2, 3]);
    client.socket.close();
  });
});

describe("E4: closes", () => {
  test("E4 E6: a frame of 16 KiB is taken, one byte more closes with 1009", async () => {
    const client = await openAuthenticated(echo);
    const empty = JSON.stringify({ type: "say", ref: 1, text: "" });
    const text = (bytes: number) => "x".repeat(bytes - empty.length);
    client.send({ type: "say", ref: 1, text: text(16 * 1024) });
    await client.frame(({ ref }) => ref === 1);
    client.send({ type: "say", ref: 1, text: text(16 * 1024 + 1) });
    expect(await client.closed).toBe(1009);
  });

  test("E4: a binary frame closes with 4400, for good", async () => {
    const client = await openAuthenticated(echo);
    client.socket.send(Buffer.from("{}"), { binary: true });
    expect(await client.closed).toBe(4400);
    expect(client.frames.at(-1)).toMatchObject({ type: "goaway", code: 4400, reconnect: false });
  });

  test("E4: a peer that answers no ping is closed with 4408", async () => {
    const service = await startEcho({ PING_INTERVAL_MS: "20", PONG_TIMEOUT_MS: "20" });
    const client = await openAuthenticated(service);
    client.socket.pong = () => {};
    expect(await client.closed).toBe(4408);
    await service.stop();
  });

  test("E4: flooding is limited, then closed with 4429", async () => {
    const client = await openAuthenticated(echo);
    for (let count = 0; count < 400; count += 1) client.send({ type: "say", text: "x" });
    expect(await client.closed).toBe(4429);
    expect(client.typed("error")[0]).toMatchObject({ code: "rate-limited", retryable: true });
    expect(client.typed("error")[0]?.retryAfterMs).toBeGreaterThan(0);
  });

  test("E4: a reader that leaves too much unread is closed with 4413", async () => {
    const service = await startEcho();
    const client = await openAuthenticated(service);
    client.socket.pause();
    client.send({ type: "say", text: "flood" });
    await expect
      .poll(async () => (await fetch(`${service.adminUrl}/metrics`)).text(), { timeout: 5_000 })
      .toMatch(/localstreet_socket_closes_total\{code="4413".*\} 1/);
    client.socket.terminate();
    await service.stop();
  });

  test("E3 E4: a drain sends goaway and 1001, spread over its window", async () => {
    const service = await startEcho();
    const clients = await Promise.all([1, 2, 3, 4].map(() => openAuthenticated(service)));
    const startMs = performance.now();
    const closedAfterMs = Promise.all(
      clients.map(async ({ closed }) => {
        expect(await closed).toBe(1001);
        return performance.now() - startMs;
      }),
    );
    await service.drain(400);
    const times = (await closedAfterMs).sort((a, b) => a - b);
    expect(times.at(-1)).toBeGreaterThan(200);
    for (const { frames } of clients) {
      expect(frames.at(-1)).toMatchObject({ type: "goaway", code: 1001, reconnect: true });
    }
  });
});

describe("E9: connections of one person", () => {
  const isOver = ({ code }: Frame) => code === "too-many-connections";

  test("E9 E3: over two replicas and both ways to authenticate the eleventh is refused with 4429, the ten go on", async () => {
    const env = { CONNECTIONS_PER_USER: "10" };
    const replicas = [await startEcho(env), await startEcho(env)] as const;
    const authorization = `Bearer ${await tokenFor("buyer", 600, "bea")}`;
    const ten = Array.from({ length: 10 }, (_, index) =>
      open(replicas[index % 2 ? 0 : 1], { authorization }),
    );
    for (const client of ten) await client.frame(({ type }) => type === "authenticated");
    for (const service of replicas) {
      const atUpgrade = open(service, { authorization });
      expect(await atUpgrade.closed).toBe(4429);
      expect(atUpgrade.frames.map(({ type, code }) => [type, code])).toEqual([
        ["error", "too-many-connections"],
        ["goaway", 4429],
      ]);
      const byFrame = open(service);
      await byFrame.opened;
      byFrame.send({
        type: "authenticate",
        ref: 3,
        token: await tokenFor("buyer", 600, "bea"),
      });
      expect(await byFrame.closed).toBe(4429);
      expect(byFrame.frames.find(isOver)).toMatchObject({ ref: 3, retryable: true });
    }
    for (const client of ten) {
      client.send({ type: "say", ref: 1, text: "still here" });
      await client.frame(({ ref }) => ref === 1);
    }
    // Authenticating again is no other connection, and one that goes makes room.
    ten[0]?.send({ type: "authenticate", ref: 2, token: await tokenFor("buyer", 600, "bea") });
    await ten[0]?.frame(({ type, ref }) => type === "authenticated" && ref === 2);
    ten[0]?.socket.close();
    await ten[0]?.closed;
    await expect
      .poll(async () => {
        const client = open(replicas[0], { authorization });
        const first = await Promise.race([
          client.closed,
          client.frame(({ type }) => type === "authenticated").then(() => "in"),
        ]);
        return first;
      })
      .toBe("in");
    await Promise.all(replicas.map((service) => service.stop()));
  });
});

describe("E20: how often one person opens a socket", () => {
  test("E20 E3: over two replicas and both ways to authenticate one too many is refused with 4429, those that are open go on", async () => {
    const env = { OPENINGS_PER_SECOND: "1", OPENINGS_BURST: "10" };
    const replicas = [await startEcho(env), await startEcho(env)] as const;
    const token = await tokenFor("buyer", 600, "bob");
    const startMs = performance.now();
    const clients: ReturnType<typeof open>[] = [];
    const opened: ReturnType<typeof open>[] = [];
    for (let count = 0; count < 20; count += 1) {
      const service = replicas[count % 2 ? 1 : 0];
      const byFrame = count % 3 === 0;
      const client = byFrame ? open(service) : open(service, { authorization: `Bearer ${token}` });
      if (byFrame) {
        await client.opened;
        client.send({ type: "authenticate", ref: 3, token });
      }
      await client.frame(({ type }) => type === "authenticated" || type === "goaway");
      if (client.typed("authenticated").length > 0) opened.push(client);
      clients.push(client);
    }
    const seconds = (performance.now() - startMs) / 1_000;
    expect(opened.length).toBeGreaterThanOrEqual(10);
    expect(opened.length).toBeLessThanOrEqual(10 + seconds + 2 * 1 + 1);
    const refused = clients.filter((client) => !opened.includes(client));
    for (const { closed, frames } of refused) {
      expect(await closed).toBe(4429);
      const [error, goaway] = frames;
      expect(error).toMatchObject({ type: "error", code: "rate-limited", retryable: true });
      expect(goaway).toMatchObject({ type: "goaway", code: 4429, reconnect: true });
      expect(Number(goaway?.retryAfterMs)).toBeGreaterThanOrEqual(Number(error?.retryAfterMs));
    }
    for (const client of opened) {
      client.send({ type: "say", ref: 1, text: "still here" });
      await client.frame(({ ref, type }) => ref === 1 && type === "said");
    }
    await Promise.all(replicas.map((service) => service.stop()));
  });
});

describe("E10: the age of a connection", () => {
  test("E10 E3: at its age, and not all at once, a client is sent away with 1001 and may come back", async () => {
    const service = await startEcho({ CONNECTION_AGE_MS: "1600" });
    const startMs = performance.now();
    const clients = await Promise.all(Array.from({ length: 12 }, () => openAuthenticated(service)));
    const ages = await Promise.all(
      clients.map(async ({ closed, frames }) => {
        expect(await closed).toBe(1001);
        expect(frames.at(-1)).toMatchObject({ type: "goaway", code: 1001, reconnect: true });
        return performance.now() - startMs;
      }),
    );
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(1_500);
    expect(Math.max(...ages)).toBeLessThan(3_500);
    await service.stop();
  });
});

test("E3: a socket that was being authenticated when a drain began gets its goaway too", async () => {
  let arrived = () => {};
  const arrival = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  let proceed = () => {};
  const gate = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  let isSlow = false;
  const service = await startEcho({}, async () => {
    if (!isSlow) return;
    arrived();
    await gate;
  });
  // The drain lasts, because it sends these two away one after the other.
  await openAuthenticated(service);
  await openAuthenticated(service);
  isSlow = true;
  const late = open(service, { authorization: `Bearer ${await tokenFor()}` });
  await arrival;
  const drained = service.drain(400);
  proceed();
  expect(await late.closed).toBe(1001);
  expect(late.frames.at(-1)).toMatchObject({ type: "goaway", code: 1001, reconnect: true });
  await drained;
});

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { ConnectionState } from "../src/connection-state.ts";
import { openSocket, type PushFrame, type SocketOptions, type Unreadable } from "../src/socket.ts";

type Frame = { type: string; ref?: number; token?: string; [field: string]: unknown };
type Peer = {
  send(frame: object): void;
  sendRaw(data: string | Buffer): void;
  close(code: number): void;
  terminate(): void;
};

/** A server that hands each frame to `answer`, with the number of its connection. */
async function startServer(answer: (peer: Peer, frame: Frame, connection: number) => void) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const frames: Frame[] = [];
  let connections = 0;
  server.on("connection", (socket) => {
    const connection = ++connections;
    const peer = {
      send: (frame: object) => socket.send(JSON.stringify(frame)),
      sendRaw: (data: string | Buffer) => socket.send(data),
      close: (code: number) => socket.close(code),
      terminate: () => socket.terminate(),
    };
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as Frame;
      frames.push(frame);
      answer(peer, frame, connection);
    });
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    frames,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

function authenticated(frame: Frame, pingIntervalMs = 25_000) {
  return {
    type: "authenticated",
    ref: frame.ref,
    userId: "anna",
    expiresAt: "2030-01-01T00:00:00.000Z",
    pingIntervalMs,
  };
}

function connect(url: string, options: Partial<SocketOptions> = {}) {
  const frames: PushFrame[] = [];
  const states: ConnectionState[] = [];
  const socket = openSocket({
    url,
    token: "a-token",
    WebSocket,
    backoffMs: { base: 10, cap: 40 },
    onFrame: (frame) => frames.push(frame),
    onState: (state) => states.push(state),
    ...options,
  });
  return {
    socket,
    frames,
    phases: () => states.map((state) => state.phase),
    open: () => until(() => socket.state.phase === "open", { what: "open" }),
    [Symbol.dispose]: () => socket.close(),
  };
}

const MESSAGE = {
  type: "message",
  conversationId: "c1",
  messageId: "m1",
  seq: 1,
  senderId: "anna",
  side: "buyer",
  content: "a push",
  orderId: null,
  createdAt: "2030-01-01T00:00:00.000Z",
  clientMessageId: "k1",
};

const acknowledging = ({ ref, clientMessageId }: Frame) => ({
  type: "ack",
  ref,
  clientMessageId,
  conversationId: "c1",
  messageId: "m1",
  seq: 1,
  createdAt: "2030-01-01T00:00:00.000Z",
  duplicate: false,
});

const HELLO = {
  type: "send-message",
  clientMessageId: "m1",
  to: "bakery",
  content: "hello",
} as const;

test("it authenticates first, and each answer finds its question by ref, whatever the order (A4, C1)", async () => {
  const asked: Frame[] = [];
  await using server = await startServer((peer, frame) => {
    if (frame.type === "authenticate") return peer.send(authenticated(frame));
    asked.push(frame);
    if (asked.length < 2) return;
    peer.send(MESSAGE);
    for (const question of asked.toReversed()) peer.send(acknowledging(question));
  });
  using client = connect(server.url);
  await expect(client.socket.send(HELLO)).rejects.toMatchObject({ code: "not-connected" });
  await client.open();
  const replies = await Promise.all([
    client.socket.send(HELLO),
    client.socket.send({ ...HELLO, clientMessageId: "m2" }),
  ]);
  expect(replies.map((reply) => reply.clientMessageId)).toEqual(["m1", "m2"]);
  expect(server.frames[0]).toMatchObject({ type: "authenticate", token: "a-token" });
  expect(client.frames).toEqual([MESSAGE]);
});

test("an error frame rejects its question and says whether to try again (E2)", async () => {
  await using server = await startServer((peer, frame) => {
    if (frame.type === "authenticate") return peer.send(authenticated(frame));
    const { ref } = frame;
    peer.send({
      type: "error",
      ref,
      code: "rate-limited",
      message: "slow",
      retryable: true,
      retryAfterMs: 70,
    });
  });
  using client = connect(server.url);
  await client.open();
  await expect(client.socket.send(HELLO)).rejects.toMatchObject({
    name: "SocketError",
    code: "rate-limited",
    retryable: true,
    retryAfterMs: 70,
  });
  expect(client.socket.state.phase).toBe("open");
});

test("when the connection breaks, an unanswered frame is rejected as retryable and never sent again (C5)", async () => {
  await using server = await startServer((peer, frame) => {
    if (frame.type === "authenticate") peer.send(authenticated(frame));
    else peer.terminate();
  });
  using client = connect(server.url);
  await client.open();
  await expect(client.socket.send(HELLO)).rejects.toMatchObject({
    code: "connection-lost",
    retryable: true,
  });
  await until(() => server.connections() === 2 && client.socket.state.phase === "open", {
    what: "the second connection",
  });
  expect(server.frames.filter((frame) => frame.type === "send-message").length).toBe(1);
});

test("an answer that does not come is an error after a while (C2)", async () => {
  await using server = await startServer((peer, frame) => {
    if (frame.type === "authenticate") peer.send(authenticated(frame));
  });
  using client = connect(server.url, { replyTimeoutMs: 50 });
  await client.open();
  await expect(client.socket.send(HELLO)).rejects.toMatchObject({
    code: "no-answer",
    retryable: true,
  });
});

test("a frame over the limit is refused here and costs no connection (E6)", async () => {
  await using server = await startServer((peer, frame) => {
    peer.send(authenticated(frame));
  });
  using client = connect(server.url);
  await client.open();
  const tooLong = { ...HELLO, content: "\u0001".repeat(4_000) };
  await expect(client.socket.send(tooLong)).rejects.toMatchObject({
    code: "too-large",
    retryable: false,
  });
  expect(client.socket.state.phase).toBe("open");
  expect(server.frames.length).toBe(1);
});

test("told that the token ends, it authenticates again with a new one on the same connection (A7)", async () => {
  await using server = await startServer((peer, frame) => {
    peer.send(authenticated(frame));
    if (frame.token === "token-1")
      peer.send({ type: "token-expiring", expiresAt: "2030-01-01T00:00:00.000Z" });
  });
  let asked = 0;
  using client = connect(server.url, { token: () => `token-${++asked}` });
  await until(() => server.frames.length === 2, { what: "the second token" });
  expect(server.frames[1]).toMatchObject({ type: "authenticate", token: "token-2" });
  expect(server.connections()).toBe(1);
  expect(client.phases()).toEqual(["connecting", "open"]);
});

test("a token that cannot be renewed is not sent again (A7)", async () => {
  await using server = await startServer((peer, frame) => {
    peer.send(authenticated(frame));
    peer.send({ type: "token-expiring", expiresAt: "2030-01-01T00:00:00.000Z" });
    peer.send(MESSAGE);
  });
  using client = connect(server.url, { token: async () => "always the same" });
  await until(() => client.frames.length > 0, { what: "the push" });
  expect(server.frames.length).toBe(1);
});

test("4401 is answered with a new token, at once (E4)", async () => {
  await using server = await startServer((peer, frame, connection) => {
    if (connection === 1) return peer.close(4401);
    peer.send(authenticated(frame));
  });
  let asked = 0;
  using client = connect(server.url, { token: () => `token-${++asked}` });
  await client.open();
  expect(server.frames.map((frame) => frame.token)).toEqual(["token-1", "token-2"]);
  expect(client.phases()).toEqual(["connecting", "connecting", "open"]);
});

for (const [code, problem, token] of [
  [4403, "forbidden", () => "t"],
  [4400, "invalid-request", () => "t"],
  [1009, "too-large", () => "t"],
  [4401, "unauthenticated", "fixed"],
] as const) {
  test(`${code} is for good (E4)`, async () => {
    await using server = await startServer((peer) => peer.close(code));
    using client = connect(server.url, { token });
    await until(() => client.socket.state.phase === "refused", { what: "refused" });
    expect(client.socket.state).toEqual({ phase: "refused", code: problem });
    expect(server.connections()).toBe(1);
  });
}

for (const code of [1001, 4408, 4413, 4429]) {
  test(`${code} is followed by another attempt, after the wait that goaway names (E3, E4)`, async () => {
    await using server = await startServer((peer, frame, connection) => {
      if (connection > 1) return peer.send(authenticated(frame));
      peer.send({ type: "goaway", code, reason: "why", reconnect: true, retryAfterMs: 150 });
      peer.close(code);
    });
    const startedAt = Date.now();
    using client = connect(server.url);
    await client.open();
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(145);
    expect(client.phases()).toEqual(["connecting", "waiting", "connecting", "open"]);
  });
}

test("a connection that fell silent is noticed, though nothing is sent on it", async () => {
  await using server = await startServer((peer, frame, connection) => {
    const first = server.frames.filter((each) => each.type === "authenticate").length === 1;
    // The first connection answers once and is dead from then on.
    if (connection > 1 || first) peer.send(authenticated(frame, 40));
  });
  using client = connect(server.url, { replyTimeoutMs: 60 });
  await until(() => server.connections() === 2, { what: "the second connection" });
  await client.open();
});

test("a quiet but living connection stays", async () => {
  await using server = await startServer((peer, frame) => peer.send(authenticated(frame, 20)));
  using client = connect(server.url, { replyTimeoutMs: 1_000 });
  await until(() => server.frames.length >= 5, { what: "four proofs of life" });
  expect(server.connections()).toBe(1);
  expect(client.phases()).toEqual(["connecting", "open"]);
});

test("closed is closed", async () => {
  await using server = await startServer((peer, frame) => {
    if (frame.type === "authenticate") peer.send(authenticated(frame));
  });
  using client = connect(server.url);
  await client.open();
  const unanswered = client.socket.send(HELLO);
  client.socket.close();
  await expect(unanswered).rejects.toMatchObject({ code: "connection-lost" });
  await expect(client.socket.send(HELLO)).rejects.toMatchObject({ code: "not-connected" });
  expect(client.socket.state).toEqual({ phase: "closed" });
});

const POSITION = {
  lat: 57.7,
  lng: 11.97,
  accuracy: null,
  heading: null,
  speed: 4.5,
  recordedAt: "2030-01-01T00:00:00.000Z",
  timestamp: "2030-01-01T00:00:00.000Z",
};
const LOCATION = { type: "location-update", deliveryId: "d1", ...POSITION };

test("a frame that is not what its type promises is counted and told, and the connection goes on", async () => {
  const wrong: (string | Buffer | object)[] = [
    "",
    "{",
    "null",
    "5",
    "[]",
    Buffer.from("binary"),
    {},
    { type: 5 },
    { type: "__proto__", ref: "x" },
    { ...MESSAGE, createdAt: "yesterday" },
    { ...MESSAGE, createdAt: 5 },
    { ...MESSAGE, content: { toString: "no text" } },
    { ...MESSAGE, content: undefined },
    { ...MESSAGE, seq: "1" },
    { ...MESSAGE, side: "courier" },
    { ...MESSAGE, conversationId: "a.b" },
    { ...MESSAGE, ref: "1" },
    { ...LOCATION, lat: "57.7" },
    { ...LOCATION, lng: 181 },
    { ...LOCATION, accuracy: undefined },
    { type: "delivery-updated", deliveryId: "d1", status: "lost" },
    { type: "error", code: "internal", message: "m", retryable: "yes" },
    { type: "goaway", code: 1001, reason: "why", reconnect: true, retryAfterMs: "60000" },
    { type: "goaway", code: 1001, reason: "why", reconnect: true, retryAfterMs: -1 },
    { type: "authenticated", userId: "anna", expiresAt: "soon", pingIntervalMs: 0 },
  ];
  await using server = await startServer((peer, frame) => {
    peer.send(authenticated(frame));
    for (const each of wrong) {
      if (typeof each === "string" || Buffer.isBuffer(each)) peer.sendRaw(each);
      else peer.send(each);
    }
    // A newer server says more, and says it of things that are not known here.
    peer.send({ ...MESSAGE, mood: "sunny" });
    peer.send({ type: "weather", degrees: "many" });
    peer.send(LOCATION);
  });
  const told: Unreadable[] = [];
  using client = connect(server.url, { onUnreadable: (unreadable) => told.push(unreadable) });
  await until(() => client.frames.length >= 2, { what: "both good frames" });
  expect(client.frames).toEqual([{ ...MESSAGE, mood: "sunny" }, LOCATION]);
  expect(told.map(({ count }) => count)).toEqual(wrong.map((_, index) => index + 1));
  expect(told.map(({ reason }) => reason)).toEqual(
    expect.arrayContaining(["no JSON object", "message: createdAt", "location-update: lat"]),
  );
  expect(told.every(({ reason }) => !/yesterday|no text|binary/.test(reason))).toBe(true);
  expect(client.phases()).toEqual(["connecting", "open"]);
});

test("an answer that cannot be read, or answers something else, rejects its question at once", async () => {
  const answers = [
    (ref: unknown) => ({ ...acknowledging({ type: "", clientMessageId: "m1" }), ref, seq: "one" }),
    (ref: unknown) => ({ type: "watching", ref, deliveryId: "d1", status: "assigned" }),
    (ref: unknown) => ({
      type: "watching",
      ref,
      deliveryId: "d1",
      status: "assigned",
      driver: { state: "live", position: POSITION, fixAt: null },
    }),
    (ref: unknown) => ({ type: "weather", ref }),
    (ref: unknown) => ({ ref }),
  ];
  let asked = 0;
  await using server = await startServer((peer, frame) => {
    if (frame.type === "authenticate") return peer.send(authenticated(frame));
    const answer = answers[asked++];
    peer.send(answer ? answer(frame.ref) : acknowledging(frame));
  });
  const told: Unreadable[] = [];
  using client = connect(server.url, { onUnreadable: (unreadable) => told.push(unreadable) });
  await client.open();
  for (const _ of answers) {
    await expect(client.socket.send(HELLO)).rejects.toMatchObject({
      code: "unreadable-answer",
      retryable: true,
    });
  }
  expect(told.length).toBe(answers.length);
  expect((await client.socket.send(HELLO)).seq).toBe(1);
  expect(client.frames).toEqual([]);
});

test("an authenticated that cannot be read is no open connection, and another one is tried", async () => {
  await using server = await startServer((peer, frame, connection) => {
    const answer = authenticated(frame);
    peer.send(connection === 1 ? { ...answer, pingIntervalMs: "25000" } : answer);
  });
  const told: Unreadable[] = [];
  using client = connect(server.url, { onUnreadable: (unreadable) => told.push(unreadable) });
  await client.open();
  expect(client.phases()).toEqual(["connecting", "waiting", "connecting", "open"]);
  expect(told).toEqual([{ count: 1, reason: "authenticated: pingIntervalMs" }]);
  expect(server.frames.length).toBe(2);
});

test("no server makes a client wait for longer than ten minutes, nor come back at once by asking for an age", async () => {
  await using server = await startServer((peer) => {
    const retryAfterMs = Number.MAX_SAFE_INTEGER;
    peer.send({ type: "goaway", code: 1001, reason: "why", reconnect: true, retryAfterMs });
    peer.close(1001);
  });
  using client = connect(server.url);
  await until(() => client.socket.state.phase === "waiting", { what: "waiting" });
  const { state } = client.socket;
  if (state.phase !== "waiting") throw new Error("unreachable");
  expect(state.nextAttemptAt - Date.now()).toBeGreaterThan(590_000);
  expect(state.nextAttemptAt - Date.now()).toBeLessThanOrEqual(600_000);
});

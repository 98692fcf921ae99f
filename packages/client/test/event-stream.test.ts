import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import type { ConnectionState } from "../src/connection-state.ts";
import {
  type EventStream,
  type EventStreamOptions,
  openEventStream,
  type StreamEvent,
} from "../src/event-stream.ts";
import { answering, startSseServer, streaming } from "./sse-server.ts";

const RESUME = "event: resume\nid: e-1\ndata: {}\n\n";

function follow(url: string, options: Partial<EventStreamOptions> = {}) {
  const events: StreamEvent[] = [];
  const states: ConnectionState[] = [];
  const stream: EventStream = openEventStream({
    url,
    token: "a-token",
    backoffMs: { base: 10, cap: 40 },
    onEvent: (event) => events.push(event),
    onState: (state) => states.push(state),
    ...options,
  });
  return {
    stream,
    events,
    states,
    phases: () => states.map((state) => state.phase),
    [Symbol.dispose]: () => stream.close(),
  };
}

test("a broken stream is resumed with the last id, and an event that comes twice is told once (S5)", async () => {
  await using server = await startSseServer(
    streaming(`${RESUME}event: new-order\nid: e-2\ndata: two\n\nid: e-3\ndata: cu`, "destroy"),
    streaming(
      `${RESUME}event: new-order\nid: e-2\ndata: two\n\nevent: new-order\nid: e-3\ndata: three\n\n`,
    ),
  );
  const repeated: StreamEvent[] = [];
  using client = follow(server.url, { onRepeated: (event) => repeated.push(event) });
  await until(() => client.events.some((event) => event.id === "e-3"), { what: "the third event" });
  expect(repeated.map((event) => event.data)).toEqual(["two"]);
  const orders = client.events.filter((event) => event.event === "new-order");
  expect(orders.map((order) => order.data)).toEqual(["two", "three"]);
  expect(client.stream.lastEventId).toBe("e-3");
  expect(server.requests[0]?.headers).toMatchObject({
    accept: "text/event-stream",
    authorization: "Bearer a-token",
  });
  expect(server.requests[0]?.headers["last-event-id"]).toBeUndefined();
  expect(server.requests[1]?.headers["last-event-id"]).toBe("e-2");
  expect(client.phases()).toEqual(["connecting", "open", "waiting", "connecting", "open"]);
});

test("pings share the id of the newest event and hide nothing (S7)", async () => {
  const ping = "event: ping\nid: e-2\ndata: {}\n\n";
  await using server = await startSseServer(
    streaming(`${RESUME}${ping}${ping}event: new-order\nid: e-2\ndata: two\n\n${ping}`),
  );
  using client = follow(server.url);
  await until(() => client.events.length === 5, { what: "all five events" });
});

test("when the token has ended, the next request has a new one, at once (A7)", async () => {
  const expired = 'event: error\ndata: {"code":"token-expired","message":"over"}\n\n';
  await using server = await startSseServer(
    streaming(`retry: 60000\n${RESUME}${expired}`, "end"),
    streaming(RESUME),
  );
  let asked = 0;
  using client = follow(server.url, { token: () => `token-${++asked}` });
  await until(() => client.phases().filter((phase) => phase === "open").length === 2, {
    what: "open again",
  });
  expect(server.requests.map((request) => request.headers.authorization)).toEqual([
    "Bearer token-1",
    "Bearer token-2",
  ]);
  expect(client.phases()).not.toContain("waiting");
});

test("before its token ends a stream is resumed with a newer one, at once, and with the same one goes on (A7)", async () => {
  const expiring = 'event: token-expiring\ndata: {"expiresAt":"2030-01-01T00:00:00.000Z"}\n\n';
  const order = (id: string) => `event: new-order\nid: ${id}\ndata: ${id}\n\n`;
  await using server = await startSseServer(
    streaming(`retry: 60000\n${RESUME}${order("e-2")}${expiring}`),
    // The server tells it again: the same token changes nothing.
    streaming(`${RESUME}${order("e-2")}${expiring}${order("e-3")}`),
  );
  const tokens = ["old", "new", "new", "new"];
  let asked = 0;
  using client = follow(server.url, { token: async () => tokens[asked++] ?? "too often" });
  await until(() => client.events.some((event) => event.id === "e-3"), { what: "the newest" });
  await until(() => asked === 3, { what: "asked at the second notice as well" });
  expect(server.requests.map((request) => request.headers.authorization)).toEqual([
    "Bearer old",
    "Bearer new",
  ]);
  expect(server.requests[1]?.headers["last-event-id"]).toBe("e-2");
  const orders = client.events.filter((event) => event.event === "new-order");
  expect(orders.map((event) => event.id)).toEqual(["e-2", "e-3"]);
  expect(client.phases()).toEqual(["connecting", "open", "connecting", "open"]);
  expect(server.requests[1]?.destroyed).toBe(false);
});

test("401 asks for another token once at once, then waits; it never gives up on orders (A6)", async () => {
  await using server = await startSseServer(
    answering(401),
    answering(401),
    answering(401),
    streaming(RESUME),
  );
  let asked = 0;
  using client = follow(server.url, { token: async () => `token-${++asked}` });
  await until(() => client.stream.state.phase === "open", { what: "open" });
  expect(asked).toBe(4);
  expect(client.phases()).toEqual(
    "connecting connecting waiting connecting waiting connecting open".split(" "),
  );
});

for (const [status, code, token] of [
  [403, "forbidden", () => "t"],
  [404, "not-found", () => "t"],
  [401, "unauthenticated", "fixed"],
] as const) {
  test(`${status} for good is "refused" and is not asked again (A6)`, async () => {
    await using server = await startSseServer(answering(status));
    using client = follow(server.url, { token });
    await until(() => client.stream.state.phase === "refused", { what: "refused" });
    expect(client.stream.state).toEqual({ phase: "refused", code });
    expect(server.requests.length).toBe(1);
  });
}

test("goaway names the wait, and the state says until when (S10)", async () => {
  const goaway = 'event: goaway\ndata: {"retryAfterMs":300}\n\n';
  await using server = await startSseServer(
    // The server leaves the connection open: the client goes by itself.
    streaming(`retry: 50000\n${RESUME}${goaway}`),
    streaming(RESUME),
  );
  using client = follow(server.url);
  await until(() => client.stream.state.phase === "waiting", { what: "waiting" });
  const state = client.stream.state;
  if (state.phase !== "waiting") throw new Error("unreachable");
  expect(state.nextAttemptAt - Date.now()).toBeGreaterThan(200);
  expect(state.nextAttemptAt - Date.now()).toBeLessThanOrEqual(300);
  await until(() => client.stream.state.phase === "open", { what: "open" });
  expect(Date.now()).toBeGreaterThanOrEqual(state.nextAttemptAt - 2);
});

for (const [what, answer] of [
  ["goaway", streaming(`${RESUME}event: goaway\ndata: {"retryAfterMs":9000000000}\n\n`)],
  ["Retry-After", answering(503, { "Retry-After": "9000000" })],
] as const) {
  test(`${what} makes nobody wait for longer than ten minutes`, async () => {
    await using server = await startSseServer(answer);
    using client = follow(server.url);
    await until(() => client.stream.state.phase === "waiting", { what: "waiting" });
    const { state } = client.stream;
    if (state.phase !== "waiting") throw new Error("unreachable");
    expect(state.nextAttemptAt - Date.now()).toBeGreaterThan(590_000);
    expect(state.nextAttemptAt - Date.now()).toBeLessThanOrEqual(600_000);
  });
}

test("a temporary refusal on the stream is waited for as long as its retry says, and is never open (E5)", async () => {
  const refusal = 'retry: 250\nevent: error\ndata: {"code":"draining","message":"m"}\n\n';
  await using server = await startSseServer(streaming(refusal, "end"), streaming(RESUME));
  const startedAt = Date.now();
  using client = follow(server.url);
  await until(() => client.stream.state.phase === "open", { what: "open" });
  expect(Date.now() - startedAt).toBeGreaterThanOrEqual(245);
  expect(client.phases()).toEqual(["connecting", "waiting", "connecting", "open"]);
});

test("a 503 without a stream is waited for as long as its Retry-After says (S3)", async () => {
  await using server = await startSseServer(answering(503, { "Retry-After": "1" }));
  using client = follow(server.url);
  await until(() => client.stream.state.phase === "waiting", { what: "waiting" });
  const state = client.stream.state;
  if (state.phase !== "waiting") throw new Error("unreachable");
  expect(state.nextAttemptAt - Date.now()).toBeGreaterThan(900);
  expect(state.reason).toBe("HTTP 503");
});

test("a stream that falls silent is given up and resumed", async () => {
  await using server = await startSseServer(streaming(RESUME));
  using client = follow(server.url, { silenceMs: 80 });
  await until(() => server.requests.length >= 2, { what: "a second request" });
  expect(client.phases()).toContain("waiting");
  expect(server.requests[1]?.headers["last-event-id"]).toBe("e-1");
});

test("a server that never answers is given up", async () => {
  await using server = await startSseServer(() => {}, streaming(RESUME));
  using client = follow(server.url, { connectTimeoutMs: 80 });
  await until(() => client.stream.state.phase === "open", { what: "open" });
  expect(client.states[1]).toMatchObject({ phase: "waiting", reason: "no answer in time" });
});

test("nothing listens: it waits, and comes back when something does", async () => {
  const server = await startSseServer(streaming(RESUME));
  await server[Symbol.asyncDispose]();
  using client = follow(server.url);
  await until(() => client.phases().filter((phase) => phase === "waiting").length >= 3, {
    what: "three waits",
  });
  expect(client.phases()).not.toContain("open");
});

test("closed is closed: no event and no request follows", async () => {
  await using server = await startSseServer(
    streaming(`${RESUME}event: a\ndata: 1\n\nevent: a\ndata: 2\n\n`),
  );
  using client = follow(server.url, {
    onEvent: (event) => {
      client.events.push(event);
      if (event.data === "1") client.stream.close();
    },
  });
  await until(() => client.stream.state.phase === "closed", { what: "closed" });
  await until(() => server.requests[0]?.destroyed === true, { what: "the connection to end" });
  expect(client.events.map((event) => event.data)).toEqual(["{}", "1"]);
  expect(server.requests.length).toBe(1);
});

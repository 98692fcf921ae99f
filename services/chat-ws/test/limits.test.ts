import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { openSocket } from "@localstreet/testkit/ws-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chat, call, connectAs, newName, say, startChat } from "./start-chat.ts";

let chat: Chat;
beforeAll(async () => {
  chat = await startChat({
    MESSAGES_PER_SECOND: "1",
    MESSAGES_BURST: "20",
    CONVERSATIONS_PER_MINUTE: "6",
    CONVERSATIONS_BURST: "20",
    REQUESTS_PER_SECOND: "2",
    // A busy machine answers late, and a replica would count alone.
    RATE_WAIT_MS: "5000",
    REDIS_TIMEOUT_MS: "5000",
    REQUESTS_BURST: "60",
    OPENINGS_PER_SECOND: "1",
    OPENINGS_BURST: "10",
  });
}, 60_000);
afterAll(() => chat.stop());

const newBuyer = () => ({ role: "buyer" as const, sub: newName("buyer") });

/** What `ask` answers, asked `count` times, on both replicas in turns; and how many seconds that took. */
async function inTurns<A>(count: number, ask: (replica: 0 | 1) => Promise<A>) {
  const startMs = performance.now();
  const answers: A[] = [];
  for (let turn = 0; turn < count; turn += 1) answers.push(await ask(turn % 2 ? 1 : 0));
  return { answers, seconds: (performance.now() - startMs) / 1_000 };
}

test("C10: a user who sends through both replicas sends as much as through one, and the wait is enough", async () => {
  const buyer = newBuyer();
  const vendorId = newName("vendor");
  const sockets = await Promise.all(chat.replicas.map((service) => connectAs(service, buyer)));
  const send = (replica: 0 | 1) => {
    const socket = sockets[replica];
    if (!socket) throw new Error("no socket");
    return say(socket, { to: vendorId });
  };
  const { answers, seconds } = await inTurns(60, send);
  const taken = answers.filter(({ type }) => type === "ack").length;
  expect(taken).toBeGreaterThanOrEqual(20);
  expect(taken).toBeLessThanOrEqual(20 + seconds + 2 * 2 + 1);
  // Each replica tells the wait that it knows of: that of the one which is asked again.
  const refused = answers.findLast(({ type }, turn) => type === "error" && turn % 2 === 0);
  expect(refused).toMatchObject({ code: "rate-limited", retryable: true });
  const refusedAtMs = performance.now();
  await until(async () => (await send(0)).type === "ack", {
    what: "a message is taken",
    timeoutMs: 15_000,
  });
  // The clock of a busy machine is late.
  expect(performance.now() - refusedAtMs).toBeLessThan(refused.retryAfterMs + 2_000);
  for (const socket of sockets) socket.close();
});

test("C7: a buyer opens so many conversations and no more, through any replica and either way; a service opens more", async () => {
  const buyer = newBuyer();
  const { answers, seconds } = await inTurns(50, (replica) =>
    call(chat.replicas[replica], buyer, "conversations", { vendorId: newName("vendor") }),
  );
  const taken = answers.filter(({ status }) => status === 201).length;
  expect(taken).toBeGreaterThanOrEqual(20);
  expect(taken).toBeLessThanOrEqual(20 + seconds / 10 + 2 * 2 + 1);
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.body).toMatchObject({ code: "rate-limited" });
  expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);

  const socket = await connectAs(chat.replicas[0], buyer);
  const answer = await say(socket, { to: newName("vendor") });
  expect(answer).toMatchObject({ type: "error", code: "rate-limited" });
  socket.close();

  const backend = { role: "service" as const, sub: newName("backend") };
  const opened = await inTurns(50, (replica) =>
    call(chat.replicas[replica], backend, "conversations", {
      vendorId: newName("vendor"),
      buyerId: buyer.sub,
    }),
  );
  expect(opened.answers.every(({ status }) => status === 201)).toBe(true);
});

test("E19: requests of one person are limited over both replicas", async () => {
  const buyer = newBuyer();
  const { answers, seconds } = await inTurns(150, (replica) =>
    call(chat.replicas[replica], buyer, "conversations"),
  );
  const taken = answers.filter(({ status }) => status === 200).length;
  expect(taken).toBeGreaterThanOrEqual(60);
  expect(taken).toBeLessThanOrEqual(60 + 2 * seconds + 2 * 6 + 1);
  expect((await call(chat.replicas[0], newBuyer(), "conversations")).status).toBe(200);
  // A socket is no request: it is limited by itself.
  const socket = await connectAs(chat.replicas[0], buyer);
  socket.close();
});

test("E20: sockets of one person are limited over both replicas, however soon they are closed", async () => {
  const token = await tokenFor(newBuyer());
  const open = async (replica: 0 | 1) => {
    const socket = await openSocket(`${chat.replicas[replica].wsUrl}/api/chat/ws`, { token });
    const { type } = await socket.next((frame) => ["authenticated", "goaway"].includes(frame.type));
    if (type === "authenticated") socket.close();
    const { code } = await socket.closed;
    return { isOpen: type === "authenticated", code, frames: socket.frames };
  };
  const { answers, seconds } = await inTurns(30, open);
  const taken = answers.filter(({ isOpen }) => isOpen).length;
  expect(taken).toBeGreaterThanOrEqual(10);
  expect(taken).toBeLessThanOrEqual(10 + seconds + 2 * 1 + 1);
  const refused = answers.find(({ isOpen }) => !isOpen);
  expect(refused?.code).toBe(4429);
  expect(refused?.frames[0]).toMatchObject({ type: "error", code: "rate-limited" });
});

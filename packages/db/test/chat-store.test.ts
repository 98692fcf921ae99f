import {
  type ClientMessageId,
  type ConversationId,
  conversationIdSchema,
  personIdSchema,
  vendorIdSchema,
} from "@localstreet/contracts/ids";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ChatStore, type NewMessage, openChatStore } from "../src/chat-store.ts";
import { openPool, type Pool } from "../src/pool.ts";
import { startDatabase, type TestDatabase } from "./start-database.ts";

let database: TestDatabase;
let pool: Pool;
let store: ChatStore;
let opened = 0;

beforeAll(async () => {
  database = await startDatabase();
  pool = openPool({ url: database.url("chat-ws"), statementTimeoutMs: 1_000 });
  store = openChatStore(pool);
});

afterAll(async () => {
  await pool?.end();
  await database?.stop();
});

/** A conversation that no other test knows. */
async function openOne() {
  opened += 1;
  const buyerId = personIdSchema.parse(`buyer-${opened}`);
  const vendorId = vendorIdSchema.parse(`vendor-${opened}`);
  return (await store.openConversation({ buyerId, vendorId })).conversation;
}

function newMessage(
  conversationId: ConversationId,
  clientMessageId: string,
  changes: Partial<NewMessage> = {},
): NewMessage {
  return {
    conversationId,
    senderId: personIdSchema.parse("ana"),
    side: "buyer",
    content: `content of ${clientMessageId}`,
    orderId: null,
    clientMessageId: clientMessageId as ClientMessageId,
    ...changes,
  };
}

test("C2: there is one conversation for each buyer and vendor, also when many open it at once", async () => {
  const buyerId = personIdSchema.parse("many");
  const vendorId = vendorIdSchema.parse("bakery");
  const opening = Array.from({ length: 20 }, () => store.openConversation({ buyerId, vendorId }));
  const results = await Promise.all(opening);
  expect(results.filter((result) => result.isNew)).toHaveLength(1);
  expect(new Set(results.map((result) => result.conversation.conversationId)).size).toBe(1);
  const { conversation } = results[0]!;
  expect(conversation).toMatchObject({ buyerId, vendorId, orderId: null, lastSeq: 0 });
  expect(conversation.conversationId).toMatch(/^[A-Za-z0-9_-]{21}$/);
  expect(await store.conversation(conversation.conversationId)).toEqual(conversation);
  expect(await store.conversation(conversationIdSchema.parse("absent"))).toBeNull();
});

test("C4: a batch gets seq 1, 2, 3 in each of its conversations, in its order", async () => {
  const [one, two] = [await openOne(), await openOne()];
  const outcomes = await store.commitBatch([
    newMessage(one.conversationId, "a"),
    newMessage(two.conversationId, "a"),
    newMessage(one.conversationId, "b"),
  ]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["stored", "stored", "stored"]);
  expect((await store.messages(one.conversationId, { limit: 10 })).messages).toEqual([
    (outcomes[0] as { message: unknown }).message,
    (outcomes[2] as { message: unknown }).message,
  ]);
  const next = await store.commitBatch([newMessage(one.conversationId, "c")]);
  expect(next).toMatchObject([{ status: "stored", message: { seq: 3 } }]);
  expect(await store.conversation(one.conversationId)).toMatchObject({ lastSeq: 3 });
});

test("C5: the same message is stored once, within a batch and over batches", async () => {
  const { conversationId } = await openOne();
  const first = newMessage(conversationId, "a", { content: "first" });
  const again = newMessage(conversationId, "a", { content: "another" });
  const outcomes = await store.commitBatch([first, again, newMessage(conversationId, "b")]);
  expect(outcomes).toMatchObject([
    { status: "stored", message: { seq: 1, content: "first" } },
    { status: "duplicate", message: { seq: 1, content: "first" } },
    { status: "stored", message: { seq: 2 } },
  ]);
  const stored = (outcomes[0] as { message: unknown }).message;
  expect(await store.commitBatch([again])).toEqual([{ status: "duplicate", message: stored }]);
  // Another sender may use the same id.
  const other = newMessage(conversationId, "a", { senderId: personIdSchema.parse("bo") });
  expect(await store.commitBatch([other])).toMatchObject([{ status: "stored" }]);
  expect((await store.messages(conversationId, { limit: 10 })).messages).toHaveLength(3);
});

test("C4 C6: a row at fault is refused alone and leaves no hole", async () => {
  const { conversationId } = await openOne();
  const unknown = conversationIdSchema.parse("absent");
  const outcomes = await store.commitBatch([
    newMessage(conversationId, "a"),
    newMessage(conversationId, "b"),
    newMessage(conversationId, "c", { content: "NUL \0 is no text of Postgres" }),
    newMessage(unknown, "d"),
    newMessage(conversationId, "e"),
  ]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual([
    "stored",
    "stored",
    "refused",
    "refused",
    "stored",
  ]);
  const { messages } = await store.messages(conversationId, { limit: 10 });
  expect(messages.map(({ seq, clientMessageId }) => [seq, clientMessageId])).toEqual([
    [1, "a"],
    [2, "b"],
    [3, "e"],
  ]);
});

test("C4 C5: batches over the same conversations from many writers leave no holes and no duplicates", async () => {
  const conversations = await Promise.all(Array.from({ length: 6 }, openOne));
  const writers = Array.from({ length: 4 }, () =>
    openPool({ url: database.url("chat-ws"), max: 2 }),
  );
  const shuffled = () => [...conversations].sort(() => Math.random() - 0.5);
  await Promise.all(
    writers.map(async (writer) => {
      const own = openChatStore(writer);
      for (let round = 0; round < 25; round += 1) {
        // Every writer sends the same messages.
        const batch = shuffled().map((one) => newMessage(one.conversationId, `m-${round}`));
        const outcomes = await own.commitBatch(batch);
        expect(outcomes.every((outcome) => outcome.status !== "refused")).toBe(true);
      }
    }),
  );
  await Promise.all(writers.map((writer) => writer.end()));
  for (const { conversationId } of conversations) {
    const { messages } = await store.messages(conversationId, { afterSeq: 0, limit: 200 });
    expect(messages.map((message) => message.seq)).toEqual(
      Array.from({ length: 25 }, (_, index) => index + 1),
    );
    const times = messages.map((message) => message.createdAt);
    expect(times).toEqual([...times].sort());
  }
});

test("C8: pages are ascending and say whether there is more", async () => {
  const { conversationId } = await openOne();
  await store.commitBatch(
    Array.from({ length: 5 }, (_, index) => newMessage(conversationId, `m-${index}`)),
  );
  const page = async (query: { afterSeq?: number; beforeSeq?: number; limit: number }) => {
    const { messages, more } = await store.messages(conversationId, query);
    return [messages.map((message) => message.seq), more];
  };
  expect(await page({ limit: 2 })).toEqual([[4, 5], true]);
  expect(await page({ limit: 5 })).toEqual([[1, 2, 3, 4, 5], false]);
  expect(await page({ afterSeq: 0, limit: 2 })).toEqual([[1, 2], true]);
  expect(await page({ afterSeq: 3, limit: 2 })).toEqual([[4, 5], false]);
  expect(await page({ beforeSeq: 3, limit: 1 })).toEqual([[2], true]);
  expect(await page({ beforeSeq: 3, limit: 2 })).toEqual([[1, 2], false]);
  expect(await page({ afterSeq: Number.MAX_SAFE_INTEGER, limit: 2 })).toEqual([[], false]);
  expect(await page({ beforeSeq: Number.MAX_SAFE_INTEGER, limit: 1 })).toEqual([[5], true]);
});

test("C8: conversations are listed for a buyer and for a vendor's staff, newest first", async () => {
  const [one, two, three] = [await openOne(), await openOne(), await openOne()];
  await store.commitBatch([newMessage(two.conversationId, "a")]);
  const vendorIds = [one.vendorId, two.vendorId, three.vendorId];
  const listed = await store.conversationsOf({ vendorIds }, 2);
  expect(listed.map((item) => item.conversationId)).toEqual([
    two.conversationId,
    three.conversationId,
  ]);
  expect(await store.conversationsOf({ buyerId: two.buyerId }, 10)).toEqual([
    { ...two, lastSeq: 1 },
  ]);
  expect(await store.conversationsOf({ vendorIds: [] }, 10)).toEqual([]);
});

test("C9: what moved lately is found with its newest messages", async () => {
  const [one, quiet] = [await openOne(), await openOne()];
  const { conversationId } = one;
  await store.commitBatch(["a", "b", "c"].map((name) => newMessage(conversationId, name)));
  const moved = await store.movedWithin(60_000);
  const { buyerId, vendorId } = one;
  expect(moved).toContainEqual({ conversationId, buyerId, vendorId, lastSeq: 3 });
  expect(moved.map((item) => item.conversationId)).not.toContain(quiet.conversationId);
  await until(async () => (await store.movedWithin(50)).length === 0, {
    what: "nothing moved within the last 50 ms",
  });
  const seqs = async (afterSeq: number, withinMs: number | null) =>
    (await store.messagesOf([{ conversationId, afterSeq, withinMs }], 2)).map(({ seq }) => seq);
  expect(await seqs(0, null)).toEqual([1, 2]);
  expect(await seqs(2, null)).toEqual([3]);
  expect(await seqs(0, 60_000)).toEqual([1, 2]);
  expect(await seqs(0, 1)).toEqual([]);
});

test("C11: a Postgres that hangs or is dead is a retryable error in time, and all is well when it is back", async () => {
  const { conversationId } = await openOne();
  await store.commitBatch([newMessage(conversationId, "a")]);
  const expectRefusals = async () => {
    const calls = [
      store.commitBatch([newMessage(conversationId, "b")]),
      store.conversation(conversationId),
      store.messages(conversationId, { limit: 1 }),
      store.movedWithin(1_000),
    ];
    const startMs = performance.now();
    for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
      expect(status).toBe("rejected");
      expect(reason).toMatchObject({ name: "DatabaseUnavailableError", retryable: true });
    }
    expect(performance.now() - startMs).toBeLessThan(3_000);
  };

  database.postgres.freeze();
  await expectRefusals();
  database.postgres.thaw();

  await database.postgres.kill();
  await expectRefusals();
  await database.postgres.start();
  const stored = await store.commitBatch([newMessage(conversationId, "b")]);
  expect(stored).toMatchObject([{ message: { seq: 2 } }]);
});

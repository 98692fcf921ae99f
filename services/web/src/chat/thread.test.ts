import { expect, test } from "vitest";
import { hasHole, lastWholeSeq, mergeMessages, type Thread, type ThreadMessage } from "./thread.ts";

function message(seq: number, content = `message ${seq}`): ThreadMessage {
  return {
    messageId: `m${seq}` as ThreadMessage["messageId"],
    clientMessageId: `c${seq}` as ThreadMessage["clientMessageId"],
    seq,
    side: seq % 2 ? "buyer" : "vendor",
    content,
    createdAt: "2026-01-01T10:00:00.000Z",
  };
}
const empty: Thread = { afterSeq: 0, messages: [] };
const seqs = (thread: Thread) => thread.messages.map(({ seq }) => seq);

test("messages are in the order of seq, each once, however they arrive", () => {
  let thread = mergeMessages(empty, [message(3), message(1)]);
  thread = mergeMessages(thread, [message(2), message(3, "again"), message(1)]);
  expect(seqs(thread)).toEqual([1, 2, 3]);
  expect(thread.messages[2]?.content).toBe("message 3");
});

test("what is already there changes nothing, not even the object", () => {
  const thread = mergeMessages(empty, [message(1), message(2)]);
  expect(mergeMessages(thread, [message(2)])).toBe(thread);
  expect(mergeMessages(thread, [])).toBe(thread);
});

test("a thread that begins late takes nothing from before its beginning", () => {
  const thread = mergeMessages({ afterSeq: 40, messages: [] }, [message(40), message(41)]);
  expect(seqs(thread)).toEqual([41]);
  expect(lastWholeSeq(thread)).toBe(41);
});

test("a hole is seen, and the fetch starts before it", () => {
  const thread = mergeMessages(empty, [message(1), message(2), message(5)]);
  expect(hasHole(thread)).toBe(true);
  expect(lastWholeSeq(thread)).toBe(2);
  const filled = mergeMessages(thread, [message(3), message(4)]);
  expect(hasHole(filled)).toBe(false);
  expect(lastWholeSeq(filled)).toBe(5);
  expect(hasHole(empty)).toBe(false);
});

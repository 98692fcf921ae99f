import fc from "fast-check";
import { expect, test } from "vitest";
import { ConversationView, type Hearing } from "./conversation-view.ts";

function open(lastSeq: number) {
  const shown: number[] = [];
  const view = new ConversationView(lastSeq, ({ seq }) => shown.push(seq));
  const message = (seq: number) => ({ key: `m${seq}`, messageId: `id${seq}`, seq });
  return {
    view,
    shown,
    hear: (...seqs: number[]): Hearing[] => seqs.map((seq) => view.hear(message(seq))),
    read: (...seqs: number[]): Hearing[] => seqs.map((seq) => view.read(message(seq))),
  };
}

test("shown in order, each once, whatever order they come in", () => {
  const seqs = fc.integer({ min: 1, max: 30 }).chain((count) => {
    const all = Array.from({ length: count }, (_, index) => index + 1);
    return fc
      .array(fc.integer({ min: 1, max: count }))
      .chain((again) =>
        fc.shuffledSubarray([...all, ...again], { minLength: count + again.length }),
      );
  });
  fc.assert(
    fc.property(seqs, (order) => {
      const { view, shown, hear } = open(0);
      hear(...order);
      expect(shown).toEqual([...new Set(order)].sort((a, b) => a - b));
      expect(view.isWaiting).toBe(false);
    }),
  );
});

test("what comes again or was known before is old, what comes too soon is early", () => {
  const { shown, hear } = open(3);
  expect(hear(3, 4, 6, 6, 4, 5)).toEqual(["old", "shown", "early", "old", "old", "shown"]);
  expect(shown).toEqual([4, 5, 6]);
});

test("what the history does not have is not waited for", () => {
  const { view, shown, hear, read } = open(0);
  hear(1, 5, 6, 9);
  read(3, 5);
  expect(shown).toEqual([1, 3, 5, 6]);
  expect(view.isWaiting).toBe(true);
  view.giveUp();
  expect(shown).toEqual([1, 3, 5, 6, 9]);
  expect(view.lastSeq).toBe(9);
});

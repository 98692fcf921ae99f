import fc from "fast-check";
import { expect, test } from "vitest";
import { ConversationOrder } from "./conversation-order.ts";

test("C3 C4: whatever order they come in, and however often, each comes out once and in order", () => {
  const arrivals = fc.integer({ min: 1, max: 30 }).chain((count) => {
    const all = Array.from({ length: count }, (_, index) => index + 1);
    return fc
      .tuple(
        fc.shuffledSubarray(all, { minLength: count }),
        fc.array(fc.constantFrom(...all), { maxLength: 20 }),
        fc.nat(20),
      )
      .map(([once, again, cursor]) => ({ seqs: [...once, ...again], count, cursor }));
  });
  fc.assert(
    fc.property(arrivals, fc.boolean(), fc.nat(), ({ seqs, count, cursor }, isKnown, when) => {
      const order = new ConversationOrder<number>(isKnown ? cursor : null);
      const out: number[] = [];
      const startAfter = when % seqs.length;
      for (const [index, seq] of seqs.entries()) {
        out.push(...order.accept(seq, seq));
        if (index === startAfter) out.push(...order.startAt(cursor));
      }
      expect(out).toEqual(
        Array.from({ length: Math.max(0, count - cursor) }, (_, index) => cursor + index + 1),
      );
      expect(order.heldCount).toBe(0);
    }),
  );
});

test("what waits for a message before it is held until that comes", () => {
  const order = new ConversationOrder<string>(4);
  expect(order.accept(6, "b")).toEqual([]);
  expect(order.accept(7, "c")).toEqual([]);
  expect([order.heldCount, order.firstHeld, order.cursor]).toEqual([2, 6, 4]);
  expect(order.accept(5, "a")).toEqual(["a", "b", "c"]);
  expect(order.accept(5, "a")).toEqual([]);
  expect([order.heldCount, order.firstHeld, order.cursor]).toEqual([0, null, 7]);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyTable } from "./key-table.ts";

test("a text keeps its number, and is read back", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 80, unit: "grapheme" }).filter((one) => Buffer.byteLength(one) < 256),
    // Of the same bytes as the characters of another.
    fc.constantFrom("鱼", "é±¼", "a", "", "\0"),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 60 }), (texts) => {
      const table = new KeyTable();
      const numbers = new Map<string, number>();
      for (const one of texts) {
        if (!numbers.has(one)) {
          expect(table.find(one)).toBe(-1);
          numbers.set(one, numbers.size);
        }
        expect(table.add(one)).toBe(numbers.get(one));
      }
      expect(table.size).toBe(numbers.size);
      for (const [one, number] of numbers) {
        expect(table.find(one)).toBe(number);
        expect(table.textOf(number)).toBe(one);
      }
    }),
  );
});

test("a hundred thousand", () => {
  const table = new KeyTable();
  for (let n = 0; n < 100_000; n++) table.add(`order-${n}`);
  expect(table.size).toBe(100_000);
  for (let n = 0; n < 100_000; n += 997) expect(table.find(`order-${n}`)).toBe(n);
  expect(table.find("order-100000")).toBe(-1);
});

test("a key that is too long is refused", () => {
  expect(() => new KeyTable().add("é".repeat(128))).toThrow(RangeError);
});

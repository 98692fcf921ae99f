import { expect, test } from "vitest";
import { createBackoff } from "./backoff.ts";

test("waits grow to the cap, each within the upper half of its step", () => {
  const least = createBackoff({ baseMs: 100, capMs: 1_000, random: () => 0 });
  expect([1, 2, 3, 4, 5, 6].map(() => least.next(0))).toEqual([50, 100, 200, 400, 500, 500]);
  const most = createBackoff({ baseMs: 100, capMs: 1_000, random: () => 1 });
  expect([1, 2, 3, 4, 5, 6].map(() => most.next(0))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test("a connection that held resets it, one that died at once does not", () => {
  const backoff = createBackoff({ baseMs: 100, capMs: 1_000, random: () => 1 });
  expect(backoff.next(0)).toBe(100);
  expect(backoff.next(500)).toBe(200);
  expect(backoff.next(60_000)).toBe(100);
});

test("the server's own wait is the least", () => {
  const backoff = createBackoff({ baseMs: 100, capMs: 1_000, random: () => 1 });
  expect(backoff.next(0, 3_000)).toBe(3_000);
  expect(backoff.next(0, 5)).toBe(200);
});

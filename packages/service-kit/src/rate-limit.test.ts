import { expect, test } from "vitest";
import { createRateLimiter } from "./rate-limit.ts";

test("a bucket gives its burst, then its rate, and says when to come back", () => {
  let nowMs = 0;
  const limiter = createRateLimiter({ perSecond: 10, burst: 3, now: () => nowMs });
  expect([1, 2, 3].map(() => limiter.take("a").ok)).toEqual([true, true, true]);
  expect(limiter.take("a")).toEqual({ ok: false, retryAfterMs: 100 });
  expect(limiter.take("b").ok).toBe(true);
  nowMs = 100;
  expect(limiter.take("a").ok).toBe(true);
  expect(limiter.take("a").ok).toBe(false);
  nowMs = 60_000;
  expect([1, 2, 3, 4].map(() => limiter.take("a").ok)).toEqual([true, true, true, false]);
});

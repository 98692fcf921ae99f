import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startHeartbeat } from "./heartbeat.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("S7: each beats once in every interval, and those that came at different times at different times", () => {
  const startMs = Date.now();
  const beats = { early: [] as number[], late: [] as number[] };
  const heartbeat = startHeartbeat<"early" | "late">({
    everyMs: 1_000,
    beat: (member) => beats[member].push(Date.now() - startMs),
  });
  heartbeat.add("early");
  vi.advanceTimersByTime(500);
  heartbeat.add("late");
  vi.advanceTimersByTime(2_500);
  expect(beats.early).toEqual([1_000, 2_000, 3_000]);
  expect(beats.late).toEqual([1_500, 2_500]);
  heartbeat.delete("late");
  vi.advanceTimersByTime(1_000);
  expect(beats.late).toHaveLength(2);
  heartbeat.stop();
  expect(vi.getTimerCount()).toBe(0);
});

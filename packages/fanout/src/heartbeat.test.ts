import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startHeartbeat } from "./heartbeat.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("S7: each beats once in every interval, and those that came at different times at different times", () => {
  const heartbeat = startHeartbeat({ everyMs: 1_000 });
  const beats = { early: [] as number[], late: [] as number[] };
  const startMs = Date.now();
  heartbeat.add(() => beats.early.push(Date.now() - startMs));
  vi.advanceTimersByTime(500);
  const stop = heartbeat.add(() => beats.late.push(Date.now() - startMs));
  vi.advanceTimersByTime(2_500);
  expect(beats.early).toEqual([1_000, 2_000, 3_000]);
  expect(beats.late).toEqual([1_500, 2_500]);
  stop();
  vi.advanceTimersByTime(1_000);
  expect(beats.late).toHaveLength(2);
  heartbeat.stop();
  expect(vi.getTimerCount()).toBe(0);
});

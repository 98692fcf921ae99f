import { expect, test } from "vitest";
import { Latency } from "./latency.ts";

test("percentiles are right to 2 %, the longest exactly", () => {
  const latency = new Latency();
  expect(latency.percentiles()).toBeNull();
  for (let ms = 1; ms <= 10_000; ms++) latency.add(ms);
  const { p50 = 0, p99 = 0, max } = latency.percentiles() ?? {};
  expect(Math.abs(p50 / 5_000 - 1)).toBeLessThan(0.021);
  expect(Math.abs(p99 / 9_900 - 1)).toBeLessThan(0.021);
  expect(max).toBe(10_000);
});

test("times below and beyond all buckets are counted", () => {
  const latency = new Latency();
  for (const ms of [0, -1, 1e9]) latency.add(ms);
  expect(latency.count).toBe(3);
  expect(latency.percentiles()).toMatchObject({ max: 1e9 });
});

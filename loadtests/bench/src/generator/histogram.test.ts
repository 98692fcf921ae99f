import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("percentiles are right to one percent", () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 1_000; ms++) histogram.add(ms);
  expect(histogram.percentileMs(50)).toBeGreaterThanOrEqual(500);
  expect(histogram.percentileMs(50)).toBeLessThan(506);
  expect(histogram.percentileMs(99)).toBeGreaterThanOrEqual(990);
  expect(histogram.percentileMs(100)).toBe(1_000);
  expect(histogram.maxMs).toBe(1_000);
});

test("an empty one has none", () => {
  expect(new Histogram().percentileMs(99)).toBeNaN();
});

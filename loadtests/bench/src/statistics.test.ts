import { expect, test } from "vitest";
import { median, pairRatios, percentile, summarize } from "./statistics.ts";

test("a median is the middle, or between the two middles", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([10, 2])).toBe(6);
  expect(median([])).toBeNaN();
});

test("a percentile is one of the values", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentile(values, 50)).toBe(50);
  expect(percentile(values, 99)).toBe(99);
  expect(percentile(values, 100)).toBe(100);
  expect(percentile([7], 1)).toBe(7);
});

test("ratios are paired within a round, so that a slow round counts for both", () => {
  expect(pairRatios([2, 20, 4], [1, 10, 2])).toEqual([2, 2, 2]);
});

test("a round without one of the two figures is left out", () => {
  expect(pairRatios([2, undefined, 6, 8], [1, 10, undefined, 0])).toEqual([2]);
});

test("a summary leaves out what was not measured", () => {
  expect(summarize([undefined, 4, 2, 3])).toEqual({ median: 3, min: 2, max: 4 });
  expect(summarize([undefined, Number.NaN])).toBeNull();
});

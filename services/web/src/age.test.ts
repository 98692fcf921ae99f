import { expect, test } from "vitest";
import { formatAge, secondsUntil } from "./age.ts";

test("an age is told in the largest unit that says enough", () => {
  const cases: [ms: number, text: string][] = [
    [-5_000, "now"],
    [0, "now"],
    [1_999, "now"],
    [2_000, "2 s ago"],
    [59_999, "59 s ago"],
    [60_000, "1 min ago"],
    [3_599_999, "59 min ago"],
    [3_600_000, "1 h ago"],
    [47 * 3_600_000, "47 h ago"],
    [48 * 3_600_000, "2 days ago"],
  ];
  for (const [ms, text] of cases) expect(formatAge(ms), `${ms} ms`).toBe(text);
});

test("a countdown rounds up and ends at 0", () => {
  expect(secondsUntil(10_001, 10_000)).toBe(1);
  expect(secondsUntil(13_000, 10_000)).toBe(3);
  expect(secondsUntil(9_000, 10_000)).toBe(0);
});

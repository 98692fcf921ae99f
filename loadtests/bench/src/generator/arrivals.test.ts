import { expect, test } from "vitest";
import { Arrivals } from "./arrivals.ts";

test("a repeat and a step back are told from what is new", () => {
  const arrivals = new Arrivals(2);
  for (const number of [0, 1, 1, 3, 2, 4]) arrivals.accept(0, number);
  arrivals.accept(1, 0);
  expect(arrivals.counts).toEqual({ delivered: 5, duplicated: 1, outOfOrder: 1 });
  expect(arrivals.deliveredTo(0)).toBe(4);
  expect(arrivals.newestOf(1)).toBe(0);
});

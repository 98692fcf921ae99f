import { expect, test } from "vitest";
import { createRandom } from "./random.ts";

test("the same seed gives the same numbers, another seed others", () => {
  const draw = (seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: 5 }, random.next);
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  // Written down: the same on every machine and with every Node.
  expect(createRandom(1).integer(0, 1_000_000)).toBe(831718);
});

test("a fork does not depend on what others drew before", () => {
  const quiet = createRandom(1);
  const busy = createRandom(1);
  for (let n = 0; n < 100; n++) busy.next();
  expect(busy.fork("courier").next()).toBe(quiet.fork("courier").next());
  expect(quiet.fork("courier").next()).not.toBe(quiet.fork("buyer").next());
});

test("numbers are spread evenly, and normal where they should be", () => {
  const random = createRandom(4);
  const buckets = new Array<number>(10).fill(0);
  for (let n = 0; n < 10_000; n++) {
    const bucket = random.integer(0, 9);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  for (const count of buckets) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  const normal = Array.from({ length: 10_000 }, random.gaussian);
  const within = normal.filter((value) => Math.abs(value) < 1).length;
  expect(within / 10_000).toBeCloseTo(0.683, 1);
});

test("a shuffle keeps everything", () => {
  const list = Array.from({ length: 50 }, (_, n) => n);
  const shuffled = createRandom(9).shuffle(list);
  expect(shuffled).not.toEqual(list);
  expect(shuffled.toSorted((a, b) => a - b)).toEqual(list);
});

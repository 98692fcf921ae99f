import { expect, test } from "vitest";
import { isMoving, moveTo, positionAt, standAt } from "./motion.ts";

test("a marker stands at its first fix", () => {
  const motion = moveTo(null, { x: 5, y: 6 }, 1_000, 5_000);
  expect(positionAt(motion, 1_000)).toEqual({ x: 5, y: 6 });
  expect(isMoving(motion, 1_000)).toBe(false);
});

test("it covers the way to the next fix evenly in the time between fixes, and stops there", () => {
  const motion = moveTo(standAt({ x: 0, y: 0 }, 0), { x: 100, y: -50 }, 1_000, 5_000);
  expect(positionAt(motion, 1_000)).toEqual({ x: 0, y: 0 });
  expect(positionAt(motion, 3_500)).toEqual({ x: 50, y: -25 });
  expect(isMoving(motion, 5_999)).toBe(true);
  expect(positionAt(motion, 60_000)).toEqual({ x: 100, y: -50 });
  expect(isMoving(motion, 6_000)).toBe(false);
});

test("a fix that comes early turns the marker where it is seen: it does not jump", () => {
  const first = moveTo(standAt({ x: 0, y: 0 }, 0), { x: 100, y: 0 }, 0, 5_000);
  const second = moveTo(first, { x: 100, y: 100 }, 2_500, 2_500);
  expect(positionAt(second, 2_500)).toEqual({ x: 50, y: 0 });
});

test("a fix from far away is not travelled to", () => {
  const motion = moveTo(standAt({ x: 0, y: 0 }, 0), { x: 5_000, y: 0 }, 1_000, 5_000);
  expect(positionAt(motion, 1_000)).toEqual({ x: 5_000, y: 0 });
});

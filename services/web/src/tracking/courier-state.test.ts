import { expect, test } from "vitest";
import { courierStateAt } from "./courier-state.ts";

const NOW = Date.parse("2026-01-01T10:00:00.000Z");
const ago = (ms: number) => new Date(NOW - ms).toISOString();

test.each([
  [0, 0, "live"],
  [14_999, 14_000, "live"],
  [15_000, 14_000, "stale"],
  [29_999, 29_999, "stale"],
  [40_000, 1_000, "stale"],
  [30_000, 30_000, "lost"],
  [-20_000, 0, "live"],
])("T9: a fix %i ms old that came %i ms ago is %s on the page too", (recorded, accepted, state) => {
  expect(courierStateAt({ recordedAt: ago(recorded), timestamp: ago(accepted) }, NOW)).toBe(state);
});

test("T9: without a fix the courier is lost", () => {
  expect(courierStateAt(undefined, NOW)).toBe("lost");
});

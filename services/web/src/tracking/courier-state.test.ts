import { expect, test } from "vitest";
import { courierStateAt } from "./courier-state.ts";

test("T9: the page tells live, stale and lost apart by the age of the newest fix", () => {
  expect(courierStateAt(null)).toBe("lost");
  expect(courierStateAt(0)).toBe("live");
  expect(courierStateAt(14_999)).toBe("live");
  expect(courierStateAt(15_000)).toBe("stale");
  expect(courierStateAt(29_999)).toBe("stale");
  expect(courierStateAt(30_000)).toBe("lost");
});

import { expect, test } from "vitest";
import { formatTotals, parseTotals } from "./totals-reporter.ts";

test("the totals are read back from vitest's output, the last line winning", () => {
  expect(parseTotals("1 passed, 0 failed\nnoise\n12 passed, 3 failed, 2 skipped\n")).toEqual({
    passed: 12,
    failed: 3,
    skipped: 2,
  });
  expect(formatTotals({ passed: 12, failed: 0, skipped: 0 })).toBe("12 passed, 0 failed");
  expect(parseTotals("it says: 1 passed, 0 failed")).toBeNull();
});

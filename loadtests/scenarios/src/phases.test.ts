import { expect, test } from "vitest";
import { CATALOGUE } from "./catalogue.ts";
import { planVisits } from "./phases.ts";

test.each([1, 2, 3, 7, 40, 1_000])("%i visitors come in waves, each of them once", (visitors) => {
  for (const { runner } of CATALOGUE) {
    if (runner.kind !== "artillery") continue;
    const { phases, busyMs } = planVisits(runner, visitors, 20);
    expect(phases.reduce((sum, { arrivalCount }) => sum + arrivalCount, 0)).toBe(visitors);
    expect(phases.every(({ arrivalCount, duration }) => arrivalCount > 0 && duration > 0)).toBe(
      true,
    );
    expect(busyMs).toBeGreaterThan(0);
  }
});

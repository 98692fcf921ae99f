import type { Reporter, TestModule } from "vitest/node";

/** Ends a run of vitest with one line: `N passed, N failed`, and how many were skipped if any were. */
export class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const totals = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") totals.passed += 1;
        else if (state === "failed") failedTests += 1;
        else totals.skipped += 1;
      }
      totals.failed += failedTests;
      // A file that does not load, or whose hooks fail, fails although none of its tests did.
      if (module.state() === "failed" && failedTests === 0) totals.failed += 1;
    }
    console.log(formatTotals(totals));
  }
}

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function formatTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** The last such line in what vitest printed; `null` when it did not come that far. */
export function parseTotals(output: string): Totals | null {
  const matches = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)];
  const last = matches.at(-1);
  if (!last) return null;
  return { passed: Number(last[1]), failed: Number(last[2]), skipped: Number(last[3] ?? 0) };
}

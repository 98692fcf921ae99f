import type { Target } from "./benchmark.ts";
import type { BenchmarkResult, ContestantResult } from "./run-benchmark.ts";
import { pairRatios, type Summary, summarize } from "./statistics.ts";

export interface JudgedTarget {
  readonly target: Target;
  /** The ratio, or the figure itself where nothing is compared. */
  readonly measured: Summary | null;
  readonly verdict: "met" | "missed" | "not measured";
}

/** Each target against the median of its ratios, paired within a round. */
export function judgeTargets({ benchmark, contestants }: BenchmarkResult): JudgedTarget[] {
  return benchmark.targets.map((target) => {
    const measured = summarize(ratiosOf(contestants, target));
    if (measured === null) return { target, measured, verdict: "not measured" };
    const { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = target;
    const isMet = measured.median <= atMost && measured.median >= atLeast;
    return { target, measured, verdict: isMet ? "met" : "missed" };
  });
}

/** A figure of a contestant, round by round. */
export function figureOf(
  contestants: readonly ContestantResult[],
  name: string,
  figure: string,
): (number | undefined)[] {
  const rounds = contestants.find((contestant) => contestant.name === name)?.rounds ?? [];
  return Array.from(rounds, (figures) => figures?.[figure]);
}

function ratiosOf(
  contestants: readonly ContestantResult[],
  target: Target,
): (number | undefined)[] {
  const own = figureOf(contestants, target.of, target.figure);
  if (target.against === null) return own;
  const other = figureOf(contestants, target.against, target.againstFigure ?? target.figure);
  return pairRatios(own, other);
}

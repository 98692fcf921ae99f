/** The middle value; of an even number of values the mean of the two in the middle. `NaN` of none. */
export function median(values: readonly number[]): number {
  const sorted = sort(values);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The smallest value that `percent` percent of the values do not exceed (nearest rank). `NaN` of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = sort(values);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** A figure over several rounds. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** `null` when no round has the figure. */
export function summarize(values: readonly (number | undefined)[]): Summary | null {
  const known = values.filter((value) => value !== undefined && Number.isFinite(value)) as number[];
  if (known.length === 0) return null;
  return { median: median(known), min: Math.min(...known), max: Math.max(...known) };
}

/**
 * What `values` are of `others`, round by round: the machine's mood changes between rounds, and within one it is the same
 * for both. A round that lacks either is left out.
 */
export function pairRatios(
  values: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): number[] {
  return values.flatMap((value, round) => {
    const other = others[round];
    if (value === undefined || other === undefined || other === 0) return [];
    const ratio = value / other;
    return Number.isFinite(ratio) ? [ratio] : [];
  });
}

function sort(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

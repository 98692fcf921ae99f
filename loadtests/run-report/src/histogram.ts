/**
 * Latencies in steps of a sixteenth of an octave, from 0.01 ms on: a percentile read from it is within 2.2 % of the
 * true one, and two of them add up exactly.
 */
export type Histogram = Map<number, number>;

const STEPS_PER_OCTAVE = 16;
const SMALLEST_MS = 0.01;

export function addLatency(histogram: Histogram, latencyMs: number): void {
  const step = Math.round(
    STEPS_PER_OCTAVE * Math.log2(Math.max(latencyMs, SMALLEST_MS) / SMALLEST_MS),
  );
  histogram.set(step, (histogram.get(step) ?? 0) + 1);
}

export function addHistogram(into: Histogram, from: Iterable<readonly [number, number]>): void {
  for (const [step, count] of from) into.set(step, (into.get(step) ?? 0) + count);
}

/** Milliseconds under which `share` (0 to 1) of all lie; `undefined` when there are none. */
export function percentile(
  histogram: Iterable<readonly [number, number]>,
  share: number,
): number | undefined {
  const steps = [...histogram].sort(([a], [b]) => a - b);
  const total = steps.reduce((sum, [, count]) => sum + count, 0);
  let below = 0;
  for (const [step, count] of steps) {
    below += count;
    if (below >= total * share) return SMALLEST_MS * 2 ** (step / STEPS_PER_OCTAVE);
  }
  return undefined;
}

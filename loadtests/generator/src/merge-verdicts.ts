import type { Verdict } from "@localstreet/oracle/judge";

/**
 * The verdicts of several ledgers on one path as one: counts and tallies add up, examples are kept. Percentiles do not
 * add up, so they are given.
 *
 * @throws {RangeError} for no verdict at all.
 */
export function mergeVerdicts(
  verdicts: readonly Verdict[],
  latencyMs: Verdict["latencyMs"],
): Verdict {
  const [first, ...rest] = verdicts;
  if (!first) throw new RangeError("no verdict to merge");
  const merged: Record<string, unknown> = { ...first };
  for (const verdict of rest) {
    for (const [row, value] of Object.entries(verdict)) merged[row] = add(merged[row], value);
  }
  return {
    ...(merged as unknown as Verdict),
    ok: verdicts.every(({ ok }) => ok),
    path: first.path,
    latencyMs,
    acknowledgeMs: rest.length === 0 ? first.acknowledgeMs : null,
  };
}

function add(a: unknown, b: unknown): unknown {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
  if (!isRecord(a) || !isRecord(b)) return a ?? b;
  const sum: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b))
    sum[key] = key in sum ? add(sum[key], value) : value;
  return sum;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks until `condition` holds.
 *
 * @returns after how many milliseconds that was, or `null` when it was not within `timeoutMs`.
 */
export async function timeUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  pollMs = 20,
): Promise<number | null> {
  const startedAtMs = performance.now();
  const elapsedMs = () => performance.now() - startedAtMs;
  while (!(await condition())) {
    if (elapsedMs() >= timeoutMs) return null;
    await sleep(pollMs);
  }
  return Math.round(elapsedMs());
}

/** A time for people: `0.35 s`, or `not within 10 s`. */
export function inSeconds(ms: number | null, limitMs: number): string {
  if (ms === null) return `not within ${limitMs / 1_000} s`;
  return `${(ms / 1_000).toFixed(ms < 1_000 ? 2 : 1)} s`;
}

import { setTimeout as sleep } from "node:timers/promises";

/**
 * Acts once in about `intervalMs`, one act after the other, until `untilMs` (as `performance.now()` counts). The first
 * comes at any time within the first interval, so that those who start together do not act in step.
 */
export async function doEvery(
  intervalMs: number,
  untilMs: number,
  act: () => Promise<unknown>,
): Promise<void> {
  let nextMs = performance.now() + Math.random() * intervalMs;
  while (nextMs < untilMs) {
    await sleep(Math.max(0, nextMs - performance.now()));
    await act();
    nextMs = Math.max(nextMs + intervalMs, performance.now());
  }
}

/** A connection that held this long counts as a success, in milliseconds. */
const STABLE_MS = 2_000;

export interface Backoff {
  /** Milliseconds to wait after a connection that was open for `openMs` (0 when it never was), `floorMs` at least. */
  next(openMs: number, floorMs?: number): number;
}

/**
 * Exponential backoff with jitter: each wait is drawn from the upper half of its step, so that clients cut off together
 * do not come back together. Short-lived connections do not reset it, or a server that accepts and dies would be hammered.
 */
export function createBackoff(options: {
  baseMs: number;
  capMs: number;
  random?: () => number;
}): Backoff {
  const random = options.random ?? Math.random;
  let failures = 0;
  return {
    next(openMs, floorMs = 0) {
      if (openMs >= STABLE_MS) failures = 0;
      const stepMs = Math.min(options.capMs, options.baseMs * 2 ** failures);
      failures = Math.min(failures + 1, 30);
      return Math.round(Math.max(floorMs, stepMs / 2 + (random() * stepMs) / 2));
    },
  };
}

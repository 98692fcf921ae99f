const FIRST_MS = 200;
const LONGEST_MS = 5_000;

/** How long to wait after so many failures: doubling, from the upper half of each step, and as the server says at least. */
export function jitteredMs(failures: number, retryAfterMs = 0): number {
  const stepMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  // A wait that all were told alike would bring them back together.
  return retryAfterMs + stepMs * (0.5 + Math.random() / 2);
}

/** Milliseconds since 1970 by a clock that never goes back: what all clients of one ledger share. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

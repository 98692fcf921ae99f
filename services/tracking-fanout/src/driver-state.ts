import { POSITION_TTL_SECONDS } from "@localstreet/contracts/keys";
import { type Driver, LIVE_FIX_AGE_MS, type Position } from "@localstreet/contracts/tracking";

/** What is known of a driver whose newest position is `position`, at `nowMs` (PROTOCOL.md T9). */
export function driverAt(position: Position | null, nowMs: number): Driver {
  // Redis forgets a position at this age; a copy in memory must not outlive it.
  if (!position || nowMs - Date.parse(position.timestamp) >= POSITION_TTL_SECONDS * 1_000) {
    return { state: "lost", position: null, fixAt: null };
  }
  const ageMs = nowMs - Date.parse(position.recordedAt);
  return {
    state: ageMs < LIVE_FIX_AGE_MS ? "live" : "stale",
    position,
    fixAt: position.recordedAt,
  };
}

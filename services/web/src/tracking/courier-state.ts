import { POSITION_TTL_SECONDS } from "@localstreet/contracts/keys";
import { type DriverState, LIVE_FIX_AGE_MS } from "@localstreet/contracts/tracking";

/** What the age of the newest fix says of its courier (PROTOCOL.md T9); `null`: there is none. */
export function courierStateAt(fixAgeMs: number | null): DriverState {
  if (fixAgeMs === null || fixAgeMs >= POSITION_TTL_SECONDS * 1_000) return "lost";
  return fixAgeMs < LIVE_FIX_AGE_MS ? "live" : "stale";
}

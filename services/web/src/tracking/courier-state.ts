import { POSITION_TTL_SECONDS } from "@localstreet/contracts/keys";
import { type DriverState, LIVE_FIX_AGE_MS, type Position } from "@localstreet/contracts/tracking";

/**
 * What the newest position says of its courier at `nowMs`, by the server's own rule (PROTOCOL.md T9): the server does not
 * tell when a courier falls silent.
 */
export function courierStateAt(
  newest: Pick<Position, "recordedAt" | "timestamp"> | undefined,
  nowMs: number,
): DriverState {
  if (!newest || nowMs - Date.parse(newest.timestamp) >= POSITION_TTL_SECONDS * 1_000)
    return "lost";
  return nowMs - Date.parse(newest.recordedAt) < LIVE_FIX_AGE_MS ? "live" : "stale";
}

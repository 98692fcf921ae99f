import type { Fix, Position } from "@localstreet/contracts/tracking";

/** How far ahead of our clock a phone's may be, in milliseconds. */
const AHEAD_MAX_MS = 30_000;
/** How old a fix may be that still says where somebody is, in milliseconds. */
const AGE_MAX_MS = 24 * 60 * 60 * 1_000;

export type FixDecision =
  | { readonly outcome: "accepted"; readonly position: Position }
  /** Something newer is known, or this very fix. */
  | { readonly outcome: "late" }
  | { readonly outcome: "impossible"; readonly reason: string };

/** Decides on a fix after `previous`, the driver's newest position (PROTOCOL.md T2). `nowMs` is the time of arrival. */
export function acceptFix(previous: Position | null, fix: Fix, nowMs: number): FixDecision {
  const timestamp = new Date(nowMs).toISOString();
  const recordedAt = fix.recordedAt ?? timestamp;
  const aheadMs = Date.parse(recordedAt) - nowMs;
  if (aheadMs > AHEAD_MAX_MS) {
    return { outcome: "impossible", reason: "is more than 30 s ahead of the clock" };
  }
  if (aheadMs < -AGE_MAX_MS) return { outcome: "impossible", reason: "is more than a day ago" };
  // Both are UTC with milliseconds, so they compare as text.
  if (previous && recordedAt <= previous.recordedAt) return { outcome: "late" };
  return {
    outcome: "accepted",
    position: {
      lat: fix.lat,
      lng: fix.lng,
      accuracy: fix.accuracy ?? null,
      heading: fix.heading ?? null,
      speed: fix.speed ?? null,
      recordedAt,
      timestamp,
    },
  };
}

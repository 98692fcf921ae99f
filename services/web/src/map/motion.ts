import type { PlanePoint } from "./projection.ts";

/** A marker on its way from where it was seen to where it is now known to be. Times are milliseconds of one clock. */
export interface Motion {
  readonly from: PlanePoint;
  readonly to: PlanePoint;
  readonly startedAt: number;
  readonly durationMs: number;
}

/** Farther than a courier gets between two fixes: a jump, not a way. */
const JUMP_METERS = 600;
const MIN_MS = 400;
/** A courier that was silent for long is brought up to date quickly. */
const MAX_MS = 6_000;

/**
 * The way to the next fix, to be covered in the time that the one after it will take to arrive, so that the marker does
 * not stop in between. It starts where the marker is seen, never at the last fix.
 */
export function moveTo(
  motion: Motion | null,
  to: PlanePoint,
  now: number,
  sinceLastFixMs: number,
): Motion {
  if (!motion) return standAt(to, now);
  const from = positionAt(motion, now);
  const meters = Math.hypot(to.x - from.x, to.y - from.y);
  if (meters > JUMP_METERS) return standAt(to, now);
  return {
    from,
    to,
    startedAt: now,
    durationMs: Math.min(MAX_MS, Math.max(MIN_MS, sinceLastFixMs)),
  };
}

export function standAt(point: PlanePoint, now: number): Motion {
  return { from: point, to: point, startedAt: now, durationMs: 0 };
}

export function positionAt({ from, to, startedAt, durationMs }: Motion, now: number): PlanePoint {
  const t = durationMs <= 0 ? 1 : Math.min(1, Math.max(0, (now - startedAt) / durationMs));
  return { x: from.x + (to.x - from.x) * t, y: from.y + (to.y - from.y) * t };
}

export function isMoving({ from, to, startedAt, durationMs }: Motion, now: number): boolean {
  return now < startedAt + durationMs && (from.x !== to.x || from.y !== to.y);
}

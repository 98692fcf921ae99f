import { idToken, type PersonId } from "./ids.ts";

/**
 * Redis keys. The braces are a hash tag: one script touches a driver's position and watch flag, so a cluster must keep
 * them in one slot.
 */

/**
 * A driver's newest position, a hash with a TTL of 30 s. Written by tracking-ingest alone. Field `position` is the JSON
 * of `positionSchema`; the others are the writer's own.
 */
export function positionKey(driverId: PersonId): string {
  return `track:{${idToken(driverId)}}:position`;
}

/** Present while somebody watches the driver; TTL 15 s. Written by tracking-fanout alone. */
export function watchedKey(driverId: PersonId): string {
  return `track:{${idToken(driverId)}}:watched`;
}

export const POSITION_TTL_SECONDS = 30;
export const WATCHED_TTL_SECONDS = 15;

import type { StoreUser } from "./grants.ts";
import { idToken, type PersonId, type VendorId } from "./ids.ts";

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

/** What open connections are counted by. */
export type ConnectionSubject =
  /** The connections of one person with one service. */
  | `user:${string}`
  /** The open streams of one vendor: its devices. */
  | `vendor:${string}`;

export function userConnections(personId: PersonId): ConnectionSubject {
  return `user:${idToken(personId)}`;
}

export function vendorConnections(vendorId: VendorId): ConnectionSubject {
  return `vendor:${idToken(vendorId)}`;
}

/**
 * The open connections of a subject with one service: a hash of replica to `count leaseEndMs`. A key of its own for each
 * subject, ends included: no script touches two, so that they spread over the slots of a cluster.
 */
export function connectionsKey(service: StoreUser, subject: ConnectionSubject): string {
  return `lease:${service}:${subject}`;
}

/** What is limited over all replicas of a service. */
export type RateName =
  | "requests"
  | "backend-requests"
  | "openings"
  | "messages"
  | "conversations"
  | "activity";

/** The bucket of one person or vendor: when it is full again, in milliseconds since the epoch. It expires then. */
export function rateKey(service: StoreUser, rate: RateName, id: PersonId | VendorId): string {
  return `rate:${service}:${rate}:${idToken(id)}`;
}

/** Since when Redis knows connections of this service, in milliseconds since the epoch: not for long after a flush. */
export function connectionsKnownSinceKey(service: StoreUser): string {
  return `lease:${service}:known-since`;
}

import { type DeliveryId, idToken, type PersonId, type VendorId } from "./ids.ts";

/** JetStream streams and buckets. `bus` creates them; nothing else names them. */
export const VENDOR_STREAM = "VENDOR";
/** Store activity for dashboards. */
export const ACTIVITY_STREAM = "ACTIVITY";
/** What needs a person: escalations, for a webhook or a pager. */
export const OPS_STREAM = "OPS";
export const DELIVERIES_BUCKET = "deliveries";
/** Persons whose tokens are refused. */
export const REVOCATIONS_BUCKET = "revocations";

/** All subjects that the stream `VENDOR` stores. */
export const VENDOR_STREAM_SUBJECTS = "vendor.*.orders";
/** Where `VENDOR` republishes what it stored, the stored subject following the prefix. */
export const LIVE_PREFIX = "live";

/** The log of one vendor's events. A publish here is acknowledged by JetStream. */
export function vendorOrdersSubject(vendorId: VendorId): string {
  return `vendor.${idToken(vendorId)}.orders`;
}

/** The live copy of one vendor's events: core NATS, at most once. */
export function liveVendorOrdersSubject(vendorId: VendorId): string {
  return `${LIVE_PREFIX}.${vendorOrdersSubject(vendorId)}`;
}

export const ACTIVITY_STREAM_SUBJECTS = "activity.*";
export const OPS_STREAM_SUBJECTS = "ops.*.escalated";

/** Store activity of one vendor, stored. */
export function activitySubject(vendorId: VendorId): string {
  return `activity.${idToken(vendorId)}`;
}

/** The live copy of one vendor's activity: core NATS, at most once. */
export function liveActivitySubject(vendorId: VendorId): string {
  return `${LIVE_PREFIX}.${activitySubject(vendorId)}`;
}

/** Where an escalation of one vendor's order is stored for the operators. */
export function opsEscalatedSubject(vendorId: VendorId): string {
  return `ops.${idToken(vendorId)}.escalated`;
}

/** The key of a person in the bucket `revocations`. */
export function revocationKey(personId: PersonId): string {
  return idToken(personId);
}

/** One side of a conversation: a buyer, or a vendor with all of its staff. */
export type Party =
  | { readonly kind: "buyer"; readonly buyerId: PersonId }
  | { readonly kind: "vendor"; readonly vendorId: VendorId };

/** The name of a party in subjects, keys and registries: `buyer.<id>` or `vendor.<id>`. */
export function partyKey(party: Party): string {
  return party.kind === "buyer"
    ? `buyer.${idToken(party.buyerId)}`
    : `vendor.${idToken(party.vendorId)}`;
}

/** Chat pushes for one party: core NATS, at most once; the table is the record. */
export function liveChatSubject(party: Party): string {
  return `live.chat.${partyKey(party)}`;
}

/** The newest position of one driver: core NATS, at most once. */
export function liveTrackingSubject(driverId: PersonId): string {
  return `live.tracking.${idToken(driverId)}`;
}

/** The key of a delivery in the bucket `deliveries`. */
export function deliveryKey(deliveryId: DeliveryId): string {
  return idToken(deliveryId);
}

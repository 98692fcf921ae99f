import { type DeliveryId, idToken, type PersonId, type VendorId } from "./ids.ts";

/** JetStream streams and buckets. `bus` creates them; nothing else names them. */
export const VENDOR_STREAM = "VENDOR";
export const DELIVERIES_BUCKET = "deliveries";

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

import {
  type DeliveryId,
  deliveryIdSchema,
  orderIdSchema,
  type PersonId,
  personIdSchema,
  type VendorId,
  vendorIdSchema,
} from "@localstreet/contracts/ids";
import { timestampSchema } from "@localstreet/contracts/order";
import { deliveryStatusSchema } from "@localstreet/contracts/tracking";
import { z } from "zod";
import type { Place } from "../map/projection.ts";
import { readableRows } from "../readable-rows.ts";

const placeSchema = z.object({ lat: z.number(), lng: z.number() });

/** `/demo/directory.json`: who there is to look at, with tokens. The simulator of a local platform writes it. */
const entriesSchema = z.object({
  city: z.string(),
  updatedAt: timestampSchema,
  vendors: readableRows(
    placeSchema.extend({
      vendorId: vendorIdSchema,
      name: z.string(),
      street: z.string(),
      staffId: personIdSchema,
      token: z.string(),
    }),
  ),
  buyers: readableRows(z.object({ buyerId: personIdSchema, name: z.string(), token: z.string() })),
  deliveries: readableRows(
    z.object({
      deliveryId: deliveryIdSchema,
      orderId: orderIdSchema,
      vendorId: vendorIdSchema,
      buyerId: personIdSchema,
      driverId: personIdSchema,
      status: deliveryStatusSchema,
      destination: placeSchema,
    }),
  ),
});
export const directoryFileSchema = entriesSchema.transform((file) => ({
  ...file,
  vendors: file.vendors.rows,
  buyers: file.buyers.rows,
  deliveries: file.deliveries.rows,
  /** Entries that could not be read. */
  unreadable:
    file.vendors.unreadable.length +
    file.buyers.unreadable.length +
    file.deliveries.unreadable.length,
}));
export type DirectoryFile = z.infer<typeof directoryFileSchema>;
export type ListedDelivery = DirectoryFile["deliveries"][number];

/** `ownToken`: typed in on this page, so nobody renews it. */
export interface Vendor {
  readonly vendorId: VendorId;
  readonly name: string;
  readonly street: string | null;
  readonly place: Place | null;
  readonly token: string;
  readonly ownToken: boolean;
}

export interface Buyer {
  readonly buyerId: PersonId;
  readonly name: string;
  readonly token: string;
  readonly ownToken: boolean;
}

/** `listed` is what the simulator tells of it; `null` for one whose id was typed in. */
export interface Delivery {
  readonly deliveryId: DeliveryId;
  readonly listed: ListedDelivery | null;
}

export interface Directory {
  readonly city: string | null;
  /** Entries that could not be read. */
  readonly unreadable: number;
  readonly vendors: readonly Vendor[];
  readonly buyers: readonly Buyer[];
  /** Oldest first. */
  readonly deliveries: readonly Delivery[];
}

/** Ids and tokens that a person typed in. */
export interface OwnEntries {
  readonly vendor: { readonly vendorId: VendorId; readonly token: string } | null;
  readonly buyer: { readonly buyerId: PersonId; readonly token: string } | null;
  readonly deliveryId: DeliveryId | null;
}

/** What there is to pick from: a person's own entries first, then the simulator's. */
export function createDirectory(file: DirectoryFile | null, own: OwnEntries): Directory {
  const vendors: Vendor[] = (file?.vendors ?? [])
    .filter(({ vendorId }) => vendorId !== own.vendor?.vendorId)
    .map(({ vendorId, name, street, token, lat, lng }) => ({
      vendorId,
      name,
      street,
      token,
      place: { lat, lng },
      ownToken: false,
    }));
  if (own.vendor) {
    const { vendorId, token } = own.vendor;
    vendors.unshift({ vendorId, name: vendorId, street: null, place: null, token, ownToken: true });
  }
  const buyers: Buyer[] = (file?.buyers ?? [])
    .filter(({ buyerId }) => buyerId !== own.buyer?.buyerId)
    .map((buyer) => ({ ...buyer, ownToken: false }));
  if (own.buyer) {
    const { buyerId, token } = own.buyer;
    buyers.unshift({ buyerId, name: buyerId, token, ownToken: true });
  }
  const deliveries: Delivery[] = (file?.deliveries ?? []).map((listed) => ({
    deliveryId: listed.deliveryId,
    listed,
  }));
  if (own.deliveryId && !deliveries.some(({ deliveryId }) => deliveryId === own.deliveryId)) {
    deliveries.unshift({ deliveryId: own.deliveryId, listed: null });
  }
  const { city = null, unreadable = 0 } = file ?? {};
  return { city, unreadable, vendors, buyers, deliveries };
}

/** Whose token may watch a delivery: its buyer's, else its vendor's; of one without a listing, those typed in. */
export function findWatcher(
  { listed }: Delivery,
  { buyers, vendors }: Directory,
): Buyer | Vendor | null {
  const byBuyer = buyers.find((it) => (listed ? it.buyerId === listed.buyerId : it.ownToken));
  const byVendor = vendors.find((it) => (listed ? it.vendorId === listed.vendorId : it.ownToken));
  return byBuyer ?? byVendor ?? null;
}

import type { DeliveryId, PersonId, VendorId } from "@localstreet/contracts/ids";
import { type DeliveryStatus, isFinal } from "@localstreet/contracts/tracking";
import type { Delivery, Directory } from "./directory.ts";

/** What the page shows. */
export interface Selection {
  readonly vendorId: VendorId | null;
  /** The vendor was chosen for a reason, and stays. */
  readonly vendorSettled: boolean;
  readonly buyerId: PersonId | null;
  /** When the buyer was chosen, as `Date.now()` counts. */
  readonly buyerSince: number;
  readonly deliveryId: DeliveryId | null;
  /** When the delivery was first seen to be over; `null` while it is under way. */
  readonly deliveryOverSince: number | null;
}

export const NOTHING_SELECTED: Selection = {
  vendorId: null,
  vendorSettled: false,
  buyerId: null,
  buyerSince: 0,
  deliveryId: null,
  deliveryOverSince: null,
};

/** How long the end of a delivery stays on the page before the next one, in milliseconds. */
const DELIVERY_LINGER_MS = 5_000;
/** How long a conversation stays on the page although another one is newer, in milliseconds. */
const CONVERSATION_HOLD_MS = 20_000;

/** What to prefer when a delivery is chosen for the viewer: one that is seen to move. */
const PREFERENCE: Record<DeliveryStatus, number> = {
  arriving: 1,
  picked_up: 2,
  assigned: 1,
  delivered: 0,
  cancelled: 0,
};

/**
 * The selection after the directory or the chats have changed; the same object when nothing has to change. Whatever is
 * picked stays while it exists. At first that is the busiest vendor. With `follow`, a delivery that ended gives way to the next one, and the buyer is the one
 * that the vendor's newest message belongs to (`chattingBuyerId`), unless somebody is writing (`drafting`). While nobody
 * knows yet who that is (`undefined`), no buyer is chosen.
 */
export function advanceSelection(
  selection: Selection,
  situation: {
    directory: Directory;
    follow: boolean;
    chattingBuyerId: PersonId | null | undefined;
    drafting: boolean;
    now: number;
  },
): Selection {
  const { directory, now } = situation;
  const vendor = advanceVendor(selection, directory);
  const { vendorId } = vendor;
  const buyer = advanceBuyer({ ...selection, vendorId }, situation);
  const delivery = advanceDelivery({ ...selection, vendorId }, directory, situation.follow, now);
  const next = { ...vendor, ...buyer, ...delivery };
  const same =
    next.vendorId === selection.vendorId &&
    next.vendorSettled === selection.vendorSettled &&
    next.buyerId === selection.buyerId &&
    next.deliveryId === selection.deliveryId &&
    next.deliveryOverSince === selection.deliveryOverSince;
  return same ? selection : next;
}

function advanceVendor(
  { vendorId, vendorSettled }: Selection,
  { vendors, deliveries }: Directory,
): Pick<Selection, "vendorId" | "vendorSettled"> {
  if (vendorSettled && vendors.some((vendor) => vendor.vendorId === vendorId)) {
    return { vendorId, vendorSettled };
  }
  const count = new Map<VendorId, number>();
  for (const { listed } of deliveries) {
    if (listed) count.set(listed.vendorId, (count.get(listed.vendorId) ?? 0) + 1);
  }
  const work = (id: VendorId) => count.get(id) ?? 0;
  const busiest = vendors.toSorted((a, b) => work(b.vendorId) - work(a.vendorId)).at(0);
  // Until there is a delivery anywhere nobody is busy: the first one stands in.
  return { vendorId: busiest?.vendorId ?? null, vendorSettled: count.size > 0 };
}

function advanceBuyer(
  { buyerId, buyerSince, vendorId }: Selection,
  { directory, follow, chattingBuyerId, drafting, now }: Parameters<typeof advanceSelection>[1],
): Pick<Selection, "buyerId" | "buyerSince"> {
  const exists = (id: PersonId | null) => directory.buyers.some((buyer) => buyer.buyerId === id);
  const known = exists(buyerId);
  const isChatting = chattingBuyerId && exists(chattingBuyerId);
  if (follow && !drafting && isChatting && chattingBuyerId !== buyerId) {
    if (!known || now - buyerSince >= CONVERSATION_HOLD_MS) {
      return { buyerId: chattingBuyerId, buyerSince: now };
    }
  }
  if (known) return { buyerId, buyerSince };
  if (chattingBuyerId === undefined) return { buyerId: null, buyerSince: 0 };
  const ordering = directory.deliveries.findLast(
    ({ listed }) => listed?.vendorId === vendorId && exists(listed?.buyerId ?? null),
  );
  const first = ordering?.listed?.buyerId ?? directory.buyers[0]?.buyerId ?? null;
  // Not chosen by anybody: a conversation takes its place at once.
  return { buyerId: first, buyerSince: 0 };
}

function advanceDelivery(
  { deliveryId, deliveryOverSince, vendorId }: Selection,
  directory: Directory,
  follow: boolean,
  now: number,
): Pick<Selection, "deliveryId" | "deliveryOverSince"> {
  if (deliveryId === null) {
    return { deliveryId: chooseDelivery(directory, vendorId), deliveryOverSince: null };
  }
  const current = directory.deliveries.find((delivery) => delivery.deliveryId === deliveryId);
  if (current && !isOver(current)) return { deliveryId, deliveryOverSince: null };
  const overSince = deliveryOverSince ?? now;
  if (follow && now - overSince >= DELIVERY_LINGER_MS) {
    const next = chooseDelivery(directory, vendorId);
    if (next) return { deliveryId: next, deliveryOverSince: null };
  }
  return { deliveryId, deliveryOverSince: overSince };
}

/** A delivery under way, the vendor's own first; `null` when there is none. */
export function chooseDelivery(directory: Directory, vendorId: VendorId | null): DeliveryId | null {
  const underWay = directory.deliveries.filter((delivery) => !isOver(delivery));
  const rank = ({ listed }: Delivery) =>
    listed ? PREFERENCE[listed.status] + (listed.vendorId === vendorId ? 10 : 0) : 0;
  // The sort is stable, and the newest of equals comes last.
  return underWay.sort((a, b) => rank(a) - rank(b)).at(-1)?.deliveryId ?? null;
}

function isOver({ listed }: Delivery): boolean {
  return listed !== null && isFinal(listed.status);
}

import type { VendorEventKind } from "@localstreet/contracts/vendor-events";

/** An event that the platform tells of an order beside `new-order`: what was done with it, and what a deadline fired. */
export interface LifeEvent {
  /** Names the event: what happens to an order once has one key, however often it is told. */
  readonly key: string;
  /** Key of the order. */
  readonly order: string;
  /** The vendor. */
  readonly group: string;
}

const LIFE_KINDS: ReadonlySet<string> = new Set<VendorEventKind>([
  "order-updated",
  "order-acknowledged",
  "order-reminder",
  "order-escalated",
  "order-expired",
]);

/** What a deadline fires, or what ends the deadlines of an order. */
export type LifeName = "outcome" | "cancelled" | "escalated" | `reminder:${number}`;

export function lifeEvent(group: string, order: string, name: string): LifeEvent {
  return { key: `${order}#${name}`, order, group };
}

/** The key of the order that a `LifeEvent` is about, and which of its events it is. */
export function splitLifeKey(key: string): { order: string; name: string } {
  const at = key.indexOf("#");
  return { order: key.slice(0, at), name: key.slice(at + 1) };
}

/**
 * @param orderKeyOf see `orderKey`.
 * @returns `null` for `new-order` and for everything that is not stored.
 */
export function readLifeEvent(
  event: string,
  data: string,
  orderKeyOf: (vendorId: string, orderId: string) => string,
): LifeEvent | null {
  if (!LIFE_KINDS.has(event)) return null;
  const body = JSON.parse(data) as Record<string, unknown>;
  const vendorId = String(body.vendorId);
  return lifeEvent(vendorId, orderKeyOf(vendorId, String(body.orderId)), nameOf(event, body));
}

/** An answer, the same told by the marketplace, and the expiry exclude each other: they are one event. */
function nameOf(event: string, { state, status, reminder, at }: Record<string, unknown>): string {
  switch (event) {
    case "order-reminder":
      return `reminder:${Number(reminder)}` satisfies LifeName;
    case "order-escalated":
      return "escalated" satisfies LifeName;
    case "order-expired":
      return "outcome" satisfies LifeName;
  }
  const what = state ?? status;
  if (what === "accepted" || what === "rejected") return "outcome" satisfies LifeName;
  if (what === "cancelled") return "cancelled" satisfies LifeName;
  return event === "order-acknowledged" ? String(what) : `${what}@${at}`;
}

import type { StoredEvent } from "@localstreet/bus/subject-log";
import type { OrderDecision } from "@localstreet/contracts/order";
import { type VendorEventKind, vendorEventSchemas } from "@localstreet/contracts/vendor-events";
import type { OrderRow } from "@localstreet/db/order-row";

/** What decided the order, by its record; `null` while it is open. */
export function decisionOfRow(row: OrderRow): OrderDecision | null {
  const { status, answeredAt, answeredBy, expiredAt, cancelledAt, storedAt } = row;
  const at = (time: Date | null) => (time ?? storedAt).toISOString();
  switch (status) {
    case "placed":
      return null;
    case "cancelled":
      return { state: "cancelled", by: null, at: at(cancelledAt) };
    case "expired":
      return { state: "expired", by: null, at: at(expiredAt) };
    case "rejected":
      return { state: "rejected", by: answeredBy, at: at(answeredAt) };
    default:
      // What is being prepared or delivered was accepted, whoever did it.
      return { state: "accepted", by: answeredBy, at: at(answeredAt) };
  }
}

/** What an event decides, if it does; `null` also for one that is none of ours. */
export function decisionOfEvent({ kind, data }: StoredEvent): OrderDecision | null {
  if (kind === null || !Object.hasOwn(vendorEventSchemas, kind)) return null;
  const parsed = parseEvent(kind as VendorEventKind, data);
  if (parsed === null || !("at" in parsed)) return null;
  const { at } = parsed;
  if ("by" in parsed) {
    const { state, by } = parsed;
    return state === "accepted" || state === "rejected" ? { state, by, at } : null;
  }
  if ("status" in parsed) {
    const { status } = parsed;
    if (status === "placed" || status === "expired") return null;
    const state = status === "rejected" || status === "cancelled" ? status : "accepted";
    return { state, by: null, at };
  }
  return kind === "order-expired" ? { state: "expired", by: null, at } : null;
}

/** The first decision stays; only a cancellation ends what was accepted. */
export function decisionAfter(
  before: OrderDecision | null,
  next: OrderDecision | null,
): OrderDecision | null {
  if (!before || (before.state === "accepted" && next?.state === "cancelled"))
    return next ?? before;
  return before;
}

function parseEvent(kind: VendorEventKind, data: Uint8Array) {
  try {
    return vendorEventSchemas[kind].parse(JSON.parse(Buffer.from(data).toString()));
  } catch {
    return null;
  }
}

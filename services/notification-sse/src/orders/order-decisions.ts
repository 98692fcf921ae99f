import type { StoredEvent } from "@localstreet/bus/subject-log";
import type { OrderDecision } from "@localstreet/contracts/order";
import { Problem } from "@localstreet/contracts/problem";
import type { OrderRow } from "@localstreet/db/order-row";
import { parseStoredEvent } from "../stored-event.ts";

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
export function decisionOfEvent(stored: Pick<StoredEvent, "kind" | "data">): OrderDecision | null {
  const event = parseStoredEvent(stored);
  switch (event.kind) {
    case "order-acknowledged": {
      const { state, by, at } = event.data;
      return state === "accepted" || state === "rejected" ? { state, by, at } : null;
    }
    case "order-updated": {
      const { status, at } = event.data;
      if (status === "placed" || status === "expired") return null;
      const state = status === "rejected" || status === "cancelled" ? status : "accepted";
      return { state, by: null, at };
    }
    case "order-expired":
      return { state: "expired", by: null, at: event.data.at };
    default:
      return null;
  }
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

/** 409, with what decided the order. */
export function alreadyDecided(winner: OrderDecision): Problem {
  return new Problem("already-decided", `The order is ${winner.state}`, { winner });
}

import type { OrderRow } from "./order-row.ts";

/** When an order that nobody answers makes itself heard, in milliseconds since the log stored it. */
export interface OrderDeadlines {
  /** The first reminder, and from each to the next. */
  readonly remindAfterMs: number;
  readonly remindEveryMs: number;
  readonly escalateAfterMs: number;
  /** The escalation of an order for which no device was ever open. */
  readonly nobodyAfterMs: number;
  readonly expireAfterMs: number;
}

/** What an order's deadlines depend on. */
export type RingingOrder = Pick<
  OrderRow,
  | "status"
  | "storedAt"
  | "receivedAt"
  | "seenAt"
  | "escalatedAt"
  | "reminders"
  | "attended"
  | "opsTold"
>;

/** What is due of one order at one time. An order that expires does nothing else. */
export type DueWork =
  | { readonly kind: "expire" }
  | {
      readonly kind: "ring";
      /** The number of the newest reminder that is due; those before it are left out. */
      readonly reminder: number | null;
      readonly escalate: boolean;
      /** Look whether a device is open. `last`: if none is, escalate. */
      readonly look: "no" | "again" | "last";
      /** It is escalated in the vendor's log and not known to be in the operators' stream. */
      readonly tellOps: boolean;
    };

/** How often a replica looks for a device within `nobodyAfterMs`: one look could fall into a reconnect. */
const LOOKS = 4;

/**
 * When the order's next deadline is, which may be past already; `null` once it is decided.
 *
 * @param lookedAt the time up to which looks for a device were made.
 */
export function nextDueAt(
  order: RingingOrder,
  deadlines: OrderDeadlines,
  lookedAt: Date,
): Date | null {
  if (order.status !== "placed") return null;
  const storedMs = order.storedAt.getTime();
  const { remindAfterMs, remindEveryMs, escalateAfterMs, expireAfterMs } = deadlines;
  const dues = [
    storedMs + expireAfterMs,
    storedMs + remindAfterMs + order.reminders * remindEveryMs,
  ];
  if (order.escalatedAt) {
    if (!order.opsTold) dues.push(order.escalatedAt.getTime());
  } else {
    dues.push(storedMs + escalateAfterMs);
    const lookMs = nextLookMs(order, deadlines, lookedAt.getTime() - storedMs);
    if (lookMs !== null) dues.push(storedMs + lookMs);
  }
  return new Date(Math.min(...dues));
}

/** What is due of the order at `at`; `null` when nothing is. */
export function whatIsDue(
  order: RingingOrder,
  deadlines: OrderDeadlines,
  at: Date,
): DueWork | null {
  if (order.status !== "placed") return null;
  const ageMs = at.getTime() - order.storedAt.getTime();
  const { remindAfterMs, remindEveryMs, escalateAfterMs, nobodyAfterMs, expireAfterMs } = deadlines;
  if (ageMs >= expireAfterMs) return { kind: "expire" };
  const newest = Math.floor((ageMs - remindAfterMs) / remindEveryMs) + 1;
  const reminder = newest > order.reminders ? newest : null;
  const escalate = !order.escalatedAt && ageMs >= escalateAfterMs;
  const mayLook = !escalate && isUnattended(order) && ageMs >= nobodyAfterMs / LOOKS;
  const look = !mayLook ? "no" : ageMs >= nobodyAfterMs ? "last" : "again";
  const tellOps = order.escalatedAt !== null && !order.opsTold;
  if (reminder === null && !escalate && look === "no" && !tellOps) return null;
  return { kind: "ring", reminder, escalate, look, tellOps };
}

/** Milliseconds from an order's start to its first look after `lookedMs`; `null` when there is none any more. */
function nextLookMs(
  order: RingingOrder,
  { nobodyAfterMs }: OrderDeadlines,
  lookedMs: number,
): number | null {
  if (!isUnattended(order)) return null;
  const next = Math.max(0, Math.floor((lookedMs * LOOKS) / nobodyAfterMs)) + 1;
  return next > LOOKS ? null : Math.ceil((next * nobodyAfterMs) / LOOKS);
}

function isUnattended(order: RingingOrder): boolean {
  return !order.escalatedAt && !order.attended && !order.receivedAt && !order.seenAt;
}

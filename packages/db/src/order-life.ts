import type { OrderStatus } from "@localstreet/contracts/order";
import type { VendorEvent } from "@localstreet/contracts/vendor-events";
import { nextDueAt, type OrderDeadlines } from "./order-due.ts";
import type { OrderRow, OrderRowWithBody } from "./order-row.ts";

/** A vendor's event as the log holds it, its data checked. */
export type LoggedEvent = VendorEvent & {
  readonly sequence: number;
  /** `Nats-Msg-Id`. */
  readonly messageId: string;
  /** By the clock of the log. */
  readonly storedAt: Date;
};

/**
 * An order's row after one more event of its log (PROTOCOL.md S30). Events come in the order of the log; one that the row
 * knows already changes nothing. What decides an order is decided by the first event that does; only a cancellation ends
 * what was accepted.
 *
 * @param row `null` before the first. An order's life begins with `new-order`: without it nothing is known.
 */
export function tellOrder(
  row: OrderRow | null,
  event: LoggedEvent,
  { history, deadlines }: { history: number; deadlines: OrderDeadlines },
): OrderRow | OrderRowWithBody | null {
  if (!row) return event.kind === "new-order" ? placeOrder(event, history, deadlines) : null;
  if (row.history === history && event.sequence <= row.appliedSequence) return row;
  const told = {
    ...row,
    ...changeOf(row, event, history),
    history,
    appliedSequence: event.sequence,
  };
  const dueAt = nextDueAt(told, deadlines, event.storedAt);
  // Of a decided order nothing is left to do, and nothing to remember for it.
  return dueAt ? { ...told, dueAt } : { ...told, dueAt, attended: false, opsTold: false };
}

function placeOrder(
  { data, sequence, storedAt }: LoggedEvent & { kind: "new-order" },
  history: number,
  deadlines: OrderDeadlines,
): OrderRowWithBody {
  const row: OrderRowWithBody = {
    vendorId: data.vendorId,
    orderId: data.orderId,
    body: data,
    total: data.total,
    currency: data.currency,
    placedAt: new Date(data.placedAt),
    storedAt,
    sequence,
    history,
    appliedSequence: sequence,
    status: "placed",
    receivedAt: null,
    seenAt: null,
    answeredAt: null,
    answeredBy: null,
    escalatedAt: null,
    escalationReason: null,
    expiredAt: null,
    cancelledAt: null,
    reminders: 0,
    attended: false,
    opsTold: false,
    dueAt: null,
  };
  return { ...row, dueAt: nextDueAt(row, deadlines, storedAt) };
}

function changeOf(row: OrderRow, event: LoggedEvent, history: number): Partial<OrderRow> {
  const { storedAt } = event;
  const isOpen = row.status === "placed";
  switch (event.kind) {
    case "new-order":
      // Told again, it rings no second time.
      return row.history === history ? {} : { sequence: event.sequence };
    case "order-acknowledged": {
      const { state, by } = event.data;
      if (state === "received") return { receivedAt: row.receivedAt ?? storedAt };
      if (state === "seen") {
        return { receivedAt: row.receivedAt ?? storedAt, seenAt: row.seenAt ?? storedAt };
      }
      return isOpen ? { status: state, answeredAt: storedAt, answeredBy: by } : {};
    }
    case "order-updated":
      return changeOfStatus(row, event.data.status, storedAt);
    case "order-reminder":
      return isOpen ? { reminders: Math.max(row.reminders, event.data.reminder) } : {};
    case "order-escalated":
      return isOpen && !row.escalatedAt
        ? { escalatedAt: storedAt, escalationReason: event.data.reason }
        : {};
    case "order-expired":
      return isOpen ? { status: "expired", expiredAt: storedAt } : {};
  }
}

function changeOfStatus(row: OrderRow, status: OrderStatus, storedAt: Date): Partial<OrderRow> {
  const isOpen = row.status === "placed";
  switch (status) {
    // An order is placed by `new-order` and expires by `order-expired` alone.
    case "placed":
    case "expired":
      return {};
    case "accepted":
    case "rejected":
      return isOpen ? { status, answeredAt: storedAt } : {};
    case "cancelled":
      return isOver(row) ? {} : { status, cancelledAt: storedAt };
    default:
      // What is being prepared or delivered was accepted, whoever did it.
      return isOver(row) ? {} : { status, answeredAt: row.answeredAt ?? storedAt };
  }
}

function isOver({ status }: OrderRow): boolean {
  return status === "rejected" || status === "cancelled" || status === "expired";
}

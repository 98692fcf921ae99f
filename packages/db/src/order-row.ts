import type { OrderId, PersonId, VendorId } from "@localstreet/contracts/ids";
import type { NewOrder, OrderState, OrderStatus } from "@localstreet/contracts/order";
import type { VendorEventData } from "@localstreet/contracts/vendor-events";

export type EscalationReason = VendorEventData<"order-escalated">["reason"];

/** A row of `orders`, by the names of the Prisma schema, without its body. */
export interface OrderRow {
  readonly vendorId: VendorId;
  readonly orderId: OrderId;
  readonly total: number;
  readonly currency: string;
  readonly placedAt: Date;
  readonly storedAt: Date;
  readonly sequence: number;
  readonly history: number;
  readonly appliedSequence: number;
  readonly status: OrderStatus;
  readonly receivedAt: Date | null;
  readonly seenAt: Date | null;
  readonly answeredAt: Date | null;
  readonly answeredBy: PersonId | null;
  readonly escalatedAt: Date | null;
  readonly escalationReason: EscalationReason | null;
  readonly expiredAt: Date | null;
  readonly cancelledAt: Date | null;
  readonly reminders: number;
  readonly attended: boolean;
  readonly opsTold: boolean;
  readonly dueAt: Date | null;
}

export interface OrderRowWithBody extends OrderRow {
  readonly body: NewOrder;
}

/** The columns of an `OrderRow` in SQL, of the table or alias `o`; `o.body` is the one more of `OrderRowWithBody`. */
export const ORDER_COLUMNS = `o.vendor_id AS "vendorId", o.order_id AS "orderId", o.total::float8 AS total, o.currency,
  o.placed_at AS "placedAt", o.stored_at AS "storedAt", o.sequence::float8 AS sequence, o.history,
  o.applied_sequence::float8 AS "appliedSequence", o.status, o.received_at AS "receivedAt", o.seen_at AS "seenAt",
  o.answered_at AS "answeredAt", o.answered_by AS "answeredBy", o.escalated_at AS "escalatedAt",
  o.escalation_reason AS "escalationReason", o.expired_at AS "expiredAt", o.cancelled_at AS "cancelledAt", o.reminders,
  o.attended, o.ops_told AS "opsTold", o.due_at AS "dueAt"`;

/** Whether an order rings, and how far it got. A status past `accepted` was accepted, whoever told it. */
export function orderState(
  row: Pick<OrderRow, "status" | "receivedAt" | "seenAt" | "escalatedAt">,
): OrderState {
  switch (row.status) {
    case "placed":
      if (row.escalatedAt) return "escalated";
      if (row.seenAt) return "seen";
      return row.receivedAt ? "received" : "ringing";
    case "rejected":
    case "cancelled":
    case "expired":
      return row.status;
    default:
      return "accepted";
  }
}

import type { VendorId } from "@localstreet/contracts/ids";
import type { OrderRow } from "./order-row.ts";
import type { SetAsideEvent, SetAsideOrder } from "./projection-store.ts";

/** A row of `set_aside_events`. */
export interface SetAsideRow extends SetAsideEvent {
  /** Of the order's first event: its row before it, as JSON. */
  readonly base: Record<string, unknown> | null;
}

/** The columns of a `SetAsideRow` in SQL, of the alias `e`. */
export const SET_ASIDE_COLUMNS = `e.history, e.sequence::float8 AS sequence, e.vendor_id AS "vendorId", e.order_id AS "orderId",
  e.kind, e.message_id AS "messageId", e.stored_at AS "storedAt", e.data, e.reason, e.base`;

/** @param rows in the order of history and sequence. */
export function setAsideOrders(rows: readonly SetAsideRow[]): SetAsideOrder[] {
  const orders = new Map<
    string,
    { vendorId: VendorId; orderId: string; base: OrderRow | null; events: SetAsideEvent[] }
  >();
  for (const { base, ...event } of rows) {
    const { vendorId, orderId } = event;
    const key = `${vendorId} ${orderId}`;
    const order = orders.get(key) ?? { vendorId, orderId, base: rowOf(base), events: [] };
    order.events.push(event);
    orders.set(key, order);
  }
  return [...orders.values()];
}

const TIMES = ["placedAt", "storedAt", "receivedAt", "seenAt", "answeredAt", "escalatedAt"].concat([
  ...["expiredAt", "cancelledAt", "dueAt"],
]);

/** JSON has no dates. */
function rowOf(base: SetAsideRow["base"]): OrderRow | null {
  if (!base) return null;
  const times = TIMES.map((field) => {
    const value = base[field];
    return [field, typeof value === "string" ? new Date(value) : null];
  });
  return { ...base, ...Object.fromEntries(times) } as OrderRow;
}

import type { OrderId, PersonId } from "@localstreet/contracts/ids";
import type { NewOrder, OrderStatus } from "@localstreet/contracts/order";
import type { RecordedOrder } from "@localstreet/contracts/order-answers";
import type { VendorEventData, VendorEventKind } from "@localstreet/contracts/vendor-events";

/** An order and how far it got, as a device shows it. It is open while its status is `placed`. */
export interface ShopOrder {
  readonly order: NewOrder;
  readonly status: OrderStatus;
  /** A device shows it. */
  readonly received: boolean;
  /** Somebody has looked at it: it makes no sound any more. */
  readonly seen: boolean;
  readonly answeredBy: PersonId | null;
  readonly reminders: number;
  readonly escalation: VendorEventData<"order-escalated">["reason"] | null;
}

export type OrderBook = ReadonlyMap<OrderId, ShopOrder>;

/** An event of the stream, by its kind. */
export type OrderEvent = {
  [K in VendorEventKind]: { readonly kind: K; readonly data: VendorEventData<K> };
}[VendorEventKind];

/** Orders that are over and still shown. */
const MAX_CLOSED = 40;

export const isOpen = ({ status }: ShopOrder): boolean => status === "placed";

/** Whether it asks for somebody's attention, aloud. */
export const isRinging = (order: ShopOrder): boolean => isOpen(order) && !order.seen;

/** What the record says, in place of what was known: a snapshot (PROTOCOL.md S25). */
export function readRecord(orders: readonly RecordedOrder[]): OrderBook {
  return trim(new Map(orders.map((recorded) => [recorded.orderId, fromRecord(recorded)])));
}

/** The book with an event. The same event again, or one that comes too late to decide anything, changes nothing. */
export function applyEvent(book: OrderBook, event: OrderEvent): OrderBook {
  const known = book.get(event.data.orderId);
  if (event.kind === "new-order") {
    return known ? book : trim(new Map(book).set(event.data.orderId, newlyPlaced(event.data)));
  }
  if (!known) return book;
  const next = { ...known, ...changeOf(known, event) };
  return trim(new Map(book).set(event.data.orderId, next));
}

/** Those that are open first, the oldest of them on top; then those that are over, the newest on top. */
export function inOrder(book: OrderBook): ShopOrder[] {
  const placedAt = ({ order }: ShopOrder) => Date.parse(order.placedAt);
  const all = [...book.values()];
  return [
    ...all.filter(isOpen).sort((a, b) => placedAt(a) - placedAt(b)),
    ...all.filter((it) => !isOpen(it)).sort((a, b) => placedAt(b) - placedAt(a)),
  ];
}

function changeOf(
  known: ShopOrder,
  event: Exclude<OrderEvent, { kind: "new-order" }>,
): Partial<ShopOrder> {
  switch (event.kind) {
    case "order-acknowledged": {
      const { state, by } = event.data;
      if (state === "received") return { received: true };
      if (state === "seen") return { received: true, seen: true };
      return isOpen(known) ? { status: state, answeredBy: by } : {};
    }
    case "order-updated": {
      const { status } = event.data;
      const isAnswer = status === "accepted" || status === "rejected";
      return isAnswer && !isOpen(known) ? {} : { status };
    }
    case "order-reminder":
      return { reminders: Math.max(known.reminders, event.data.reminder) };
    case "order-escalated":
      return { escalation: event.data.reason };
    case "order-expired":
      return isOpen(known) ? { status: "expired" } : {};
  }
}

function newlyPlaced(order: NewOrder): ShopOrder {
  return {
    order,
    status: "placed",
    received: false,
    seen: false,
    answeredBy: null,
    reminders: 0,
    escalation: null,
  };
}

function fromRecord(recorded: RecordedOrder): ShopOrder {
  const { status, answeredBy, reminders, escalationReason } = recorded;
  return {
    order: recorded,
    status,
    received: recorded.receivedAt !== null,
    seen: recorded.seenAt !== null,
    answeredBy,
    reminders,
    escalation: escalationReason,
  };
}

function trim(book: OrderBook): OrderBook {
  const over = inOrder(book).filter((it) => !isOpen(it));
  if (over.length <= MAX_CLOSED) return book;
  const trimmed = new Map(book);
  for (const { order } of over.slice(MAX_CLOSED)) trimmed.delete(order.orderId);
  return trimmed;
}

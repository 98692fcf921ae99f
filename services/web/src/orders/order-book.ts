import type { OrderId, PersonId } from "@localstreet/contracts/ids";
import type { NewOrder, OrderDecision, OrderStatus } from "@localstreet/contracts/order";
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
  /** When it was decided, by the clock of the platform. */
  readonly decidedAt: string | null;
  /** When this page saw it decided, as `Date.now()` counts; `null` when it was over before. */
  readonly closedHereAtMs: number | null;
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

/** Whether nothing can happen to it any more but that it is forgotten. */
const isOver = ({ status }: ShopOrder): boolean =>
  status === "rejected" || status === "cancelled" || status === "expired";

/** What the record says, in place of what was known: a snapshot (PROTOCOL.md S25). */
export function readRecord(
  orders: readonly RecordedOrder[],
  known: OrderBook,
  nowMs: number,
): OrderBook {
  const entries = orders.map((recorded) => {
    const before = known.get(recorded.orderId);
    const order = fromRecord(recorded);
    return [recorded.orderId, before ? noticeEnd(before, order, nowMs) : order] as const;
  });
  return trim(new Map(entries));
}

/** The book with an event. The same event again, or one that comes too late to decide anything, changes nothing. */
export function applyEvent(book: OrderBook, event: OrderEvent, nowMs: number): OrderBook {
  const known = book.get(event.data.orderId);
  if (event.kind === "new-order") {
    return known ? book : trim(new Map(book).set(event.data.orderId, newlyPlaced(event.data)));
  }
  if (!known) return book;
  const change = changeOf(known, event);
  return change ? replace(book, known, { ...known, ...change }, event.data.at, nowMs) : book;
}

/** The book with a decision that this page was told of before the stream brought it. */
export function applyDecision(
  book: OrderBook,
  orderId: OrderId,
  { state, by, at }: OrderDecision,
  nowMs: number,
): OrderBook {
  const known = book.get(orderId);
  if (!known || !isOpen(known)) return book;
  return replace(book, known, { ...known, status: state, answeredBy: by }, at, nowMs);
}

/**
 * Those that are open first, the oldest of them on top; then those that are over, the newest decision on top. What was
 * decided before the eyes of the viewer after `settledAtMs` keeps its place among the open ones: nothing slides under a
 * pointer that is about to press.
 */
export function inOrder(book: OrderBook, settledAtMs = Number.POSITIVE_INFINITY): ShopOrder[] {
  const stays: { order: ShopOrder; ms: number }[] = [];
  const over: { order: ShopOrder; ms: number }[] = [];
  for (const order of book.values()) {
    const placedMs = Date.parse(order.order.placedAt);
    if (isOpen(order) || isHeld(order, settledAtMs)) stays.push({ order, ms: placedMs });
    else over.push({ order, ms: order.decidedAt ? Date.parse(order.decidedAt) : placedMs });
  }
  stays.sort((a, b) => a.ms - b.ms || byId(a.order, b.order));
  over.sort((a, b) => b.ms - a.ms || byId(b.order, a.order));
  return [...stays, ...over].map(({ order }) => order);
}

/** Whether it is over and still keeps its place. */
export function isHeld({ closedHereAtMs }: ShopOrder, settledAtMs: number): boolean {
  return closedHereAtMs !== null && closedHereAtMs > settledAtMs;
}

function byId(a: ShopOrder, b: ShopOrder): number {
  return a.order.orderId < b.order.orderId ? -1 : 1;
}

function replace(
  book: OrderBook,
  before: ShopOrder,
  after: ShopOrder,
  at: string,
  nowMs: number,
): OrderBook {
  const decidedAt = before.decidedAt ?? (isOpen(after) ? null : at);
  const next = noticeEnd(before, { ...after, decidedAt }, nowMs);
  return trim(new Map(book).set(next.order.orderId, next));
}

function noticeEnd(before: ShopOrder, after: ShopOrder, nowMs: number): ShopOrder {
  if (isOpen(after)) return after;
  return { ...after, closedHereAtMs: isOpen(before) ? nowMs : before.closedHereAtMs };
}

/** As the record itself counts an event (PROTOCOL.md S30). `null` when it changes nothing. */
function changeOf(
  known: ShopOrder,
  event: Exclude<OrderEvent, { kind: "new-order" }>,
): Partial<ShopOrder> | null {
  switch (event.kind) {
    case "order-acknowledged": {
      const { state, by } = event.data;
      if (state === "received") return { received: true };
      if (state === "seen") return { received: true, seen: true };
      if (isOpen(known)) return { status: state, answeredBy: by };
      // This page was told of the answer before the stream brought who gave it.
      return known.status === state && known.answeredBy === null ? { answeredBy: by } : null;
    }
    case "order-updated": {
      const { status } = event.data;
      // An order is placed by `new-order` and expires by `order-expired` alone.
      if (status === "placed" || status === "expired") return null;
      const isAnswer = status === "accepted" || status === "rejected";
      return (isAnswer ? isOpen(known) : !isOver(known)) ? { status } : null;
    }
    case "order-reminder":
      if (!isOpen(known)) return null;
      return { reminders: Math.max(known.reminders, event.data.reminder) };
    case "order-escalated":
      return isOpen(known) ? { escalation: event.data.reason } : null;
    case "order-expired":
      return isOpen(known) ? { status: "expired" } : null;
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
    decidedAt: null,
    closedHereAtMs: null,
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
    decidedAt: recorded.answeredAt ?? recorded.expiredAt ?? recorded.cancelledAt,
    closedHereAtMs: null,
  };
}

function trim(book: OrderBook): OrderBook {
  let over = 0;
  for (const order of book.values()) if (!isOpen(order)) over += 1;
  if (over <= MAX_CLOSED) return book;
  const trimmed = new Map(book);
  const newestFirst = inOrder(book).filter((it) => !isOpen(it));
  for (const { order } of newestFirst.slice(MAX_CLOSED)) trimmed.delete(order.orderId);
  return trimmed;
}

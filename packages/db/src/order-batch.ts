import { nextDueAt, type OrderDeadlines } from "./order-due.ts";
import { type LoggedEvent, tellOrder } from "./order-life.ts";
import type { OrderRow, OrderRowWithBody } from "./order-row.ts";
import {
  type Checkpoint,
  isUnread,
  type LogEntry,
  orderKey,
  type RetoldOrder,
  type SetAsideCursor,
  type SetAsideEvent,
  type SetAsideOrder,
  type UnreadEvent,
} from "./projection-store.ts";

/** What is known of an order before a batch. */
export interface OrderBefore {
  readonly row: OrderRow | null;
  /** Events of it were set aside. */
  readonly isSetAside: boolean;
}

/** An event to be kept; `base` is the order's row before it, for the order's first. */
export interface EventToKeep extends SetAsideEvent {
  readonly base: OrderRow | null;
}

/** The orders that a batch is about, by their keys. */
export function ordersOf(
  events: readonly LogEntry[],
): ReadonlyMap<string, Pick<UnreadEvent, "vendorId" | "orderId">> {
  return new Map(
    events.map((event) => {
      const { vendorId } = event;
      const orderId = isUnread(event) ? event.orderId : event.data.orderId;
      return [orderKey({ vendorId, orderId }), { vendorId, orderId }];
    }),
  );
}

/**
 * What a batch makes of the orders: rows that changed, and events to be kept. An event that is not understood changes no row,
 * and those behind it do as if it had not been: what is known is shown, and its order is told again once it is understood.
 */
export function projectBatch(
  before: ReadonlyMap<string, OrderBefore>,
  events: readonly LogEntry[],
  { history, deadlines }: { history: number; deadlines: OrderDeadlines },
): { rows: (OrderRow | OrderRowWithBody)[]; toKeep: EventToKeep[] } {
  const orders = new Map(before);
  const changed = new Map<string, OrderRow>();
  const toKeep: EventToKeep[] = [];
  for (const event of events) {
    const orderId = isUnread(event) ? event.orderId : event.data.orderId;
    const key = orderKey({ vendorId: event.vendorId, orderId });
    const order = orders.get(key) ?? { row: null, isSetAside: false };
    if (isUnread(event)) {
      toKeep.push({ ...event, history, base: order.isSetAside ? null : withoutBody(order.row) });
      orders.set(key, { ...order, isSetAside: true });
      continue;
    }
    if (order.isSetAside) {
      toKeep.push({ ...keptEvent(event), history, reason: null, base: null });
    }
    const row = tellOrder(order.row, event, { history, deadlines });
    if (!row || row === order.row) continue;
    orders.set(key, { ...order, row });
    changed.set(key, row);
  }
  return { rows: [...changed.values()], toKeep };
}

/**
 * The row of an order that was set aside, as if what is understood now had been understood when the log told it.
 *
 * @param live the order's row as it is: it remembers what was published of the order meanwhile.
 */
export function retellOrder(
  { base, events, understood }: RetoldOrder,
  live: OrderRow | null,
  deadlines: OrderDeadlines,
): OrderRow | OrderRowWithBody | null {
  let row: OrderRow | null = base;
  let toldAt = base?.storedAt ?? null;
  for (const [index, { history }] of events.entries()) {
    const event = understood[index];
    if (!event) continue;
    row = tellOrder(row, event, { history, deadlines });
    toldAt = event.storedAt;
  }
  if (!row?.dueAt || !live || !toldAt) return row;
  const remembered = {
    ...row,
    reminders: Math.max(row.reminders, live.reminders),
    attended: row.attended || live.attended,
    opsTold: row.opsTold || live.opsTold,
  };
  return { ...remembered, dueAt: nextDueAt(remembered, deadlines, toldAt) };
}

/** Whether an order is to be told again: more of it is understood than before, and nothing less. */
export function isBetterUnderstood({ events, understood }: RetoldOrder): boolean {
  const isLess = events.some(({ reason }, index) => reason === null && !understood[index]);
  const isMore = events.some(({ reason }, index) => reason !== null && understood[index]);
  return isMore && !isLess;
}

/** Its events as they are kept afterwards: none, once all are understood. */
export function keptAfter({ events, understood }: RetoldOrder): SetAsideEvent[] {
  const after = events.map((event, index) =>
    understood[index] ? { ...event, reason: null } : event,
  );
  return after.every(({ reason }) => reason === null) ? [] : after;
}

/** An event that the store refused, to be set aside. */
export function refusedEvent(event: LogEntry): UnreadEvent {
  return { ...(isUnread(event) ? event : keptEvent(event)), reason: "the database refuses it" };
}

function keptEvent(event: LoggedEvent): Omit<UnreadEvent, "reason"> {
  const { vendorId, kind, data, sequence, messageId, storedAt } = event;
  const { orderId } = data;
  const bytes = Buffer.from(JSON.stringify(data));
  return { vendorId, orderId, kind, sequence, messageId, storedAt, data: bytes };
}

function withoutBody(row: OrderRow | OrderRowWithBody | null): OrderRow | null {
  if (!row || !("body" in row)) return row;
  const { body: _, ...rest } = row;
  return rest;
}

/**
 * One page of what is set aside: `orders` are all of those that have one of the first `limit` events that are not
 * understood and come after the cursor.
 */
export function pageOfSetAside(
  orders: readonly SetAsideOrder[],
  after: SetAsideCursor,
  limit: number,
): { orders: readonly SetAsideOrder[]; next: SetAsideCursor | null } {
  const unread = orders
    .flatMap(({ events }) => events)
    .filter((event) => event.reason !== null && compareCursors(event, after) > 0)
    .sort(compareCursors);
  const last = unread[limit - 1];
  return { orders, next: last ? { history: last.history, sequence: last.sequence } : null };
}

export function compareCursors(a: SetAsideCursor, b: SetAsideCursor): number {
  return a.history - b.history || a.sequence - b.sequence;
}

/**
 * The checkpoints with one more: the further back, the wider apart, so that those of a log of any length are some dozens and
 * going back reads a few times what was lost. Both are the newest first.
 *
 * @param every events from one to the next near the end.
 */
export function withCheckpoint(
  checkpoints: readonly Checkpoint[],
  newest: Checkpoint,
  every: number,
): readonly Checkpoint[] {
  const older = checkpoints.filter(({ sequence }) => sequence < newest.sequence);
  const distanceOf = ({ sequence }: Checkpoint) => newest.sequence - sequence + every;
  const kept = [newest];
  for (const [index, checkpoint] of older.entries()) {
    const next = older[index + 1];
    const isNeeded = !next || distanceOf(next) > 2 * distanceOf(kept.at(-1) as Checkpoint);
    // Without it the next is at most twice as far back as the one before, and comes closer as the log grows.
    if (isNeeded) kept.push(checkpoint);
  }
  return kept;
}

import {
  compareCursors,
  isBetterUnderstood,
  keptAfter,
  pageOfSetAside,
  projectBatch,
  refusedEvent,
  retellOrder,
} from "@localstreet/db/order-batch";
import type { OrderRow, OrderRowWithBody } from "@localstreet/db/order-row";
import {
  type Checkpoint,
  type EventBatch,
  isUnread,
  type LogEntry,
  orderKey,
  type ProjectionPosition,
  type ProjectionStore,
  type RetoldOrder,
  type SetAsideOrder,
  type UnreadEvent,
} from "@localstreet/db/projection-store";

/** The record of orders over plain objects, for a search: nothing waits, nothing fails, and no timer runs. */
export interface RecordInMemory extends ProjectionStore {
  position(): ProjectionPosition;
  /** The time up to which the log is projected; `null` before the first. */
  throughAt(): Date | null;
  /** By vendor and order. */
  rows(): readonly OrderRowWithBody[];
  /** Everything that is set aside, by vendor and order. */
  allSetAside(): readonly SetAsideOrder[];
}

/** What a column of 32 bits holds. */
const MOST = 2 ** 31 - 1;

/** @param options.now milliseconds since the epoch, by the clock of the store. */
export function openRecordInMemory(options: { now?: () => number } = {}): RecordInMemory {
  const now = options.now ?? Date.now;
  let position: ProjectionPosition = { epoch: "", history: 0, sequence: 0, messageId: null };
  let holder = "";
  let leaseEndsMs = Number.NEGATIVE_INFINITY;
  let throughAt: Date | null = null;
  let checkpoints: readonly Checkpoint[] = [];
  const rows = new Map<string, OrderRowWithBody>();
  const setAside = new Map<string, SetAsideOrder>();

  function store(row: OrderRow | OrderRowWithBody): void {
    const key = orderKey(row);
    const { body } = "body" in row ? row : (rows.get(key) ?? { body: null });
    if (body) rows.set(key, { ...row, body });
  }

  /** One event: the same as a batch of them, one after another. */
  function applyOne(
    event: LogEntry,
    batch: Pick<EventBatch, "from" | "deadlines">,
  ): UnreadEvent | null {
    const { from, deadlines } = batch;
    const orderId = isUnread(event) ? event.orderId : event.data.orderId;
    const key = orderKey({ vendorId: event.vendorId, orderId });
    const before = { row: rows.get(key) ?? null, isSetAside: setAside.has(key) };
    const { history } = from;
    const after = projectBatch(new Map([[key, before]]), [event], { history, deadlines });
    if (!after.rows.every(isHeld)) {
      const refused = refusedEvent(event);
      applyOne(refused, batch);
      return refused;
    }
    for (const row of after.rows) store(row);
    for (const { base, ...kept } of after.toKeep) {
      const { vendorId } = kept;
      const order = setAside.get(key) ?? { vendorId, orderId, base, events: [] };
      // What a holder before had kept of the same event stays.
      const isKept = order.events.some((other) => compareCursors(other, kept) === 0);
      if (!isKept) setAside.set(key, { ...order, events: [...order.events, kept] });
    }
    return null;
  }

  function retellOne(order: RetoldOrder, deadlines: EventBatch["deadlines"]): void {
    const key = orderKey(order);
    const live = rows.get(key) ?? null;
    const row = retellOrder(order, live, deadlines);
    if (row && !isHeld(row)) return;
    if (row && ("body" in row || live)) store(row);
    const events = keptAfter(order);
    const { vendorId, orderId, base } = order;
    if (events.length === 0) setAside.delete(key);
    else setAside.set(key, { vendorId, orderId, base, events });
  }

  return {
    position: () => position,
    throughAt: () => throughAt,
    rows: () => inOrder(rows),
    allSetAside: () => inOrder(setAside),
    async lease(lease) {
      if (holder !== lease.holder && leaseEndsMs >= now()) return null;
      holder = lease.holder;
      leaseEndsMs = now() + lease.leaseMs;
      return { position, at: new Date(now()) };
    },
    async release(by) {
      if (holder === by) leaseEndsMs = Number.NEGATIVE_INFINITY;
    },
    async apply(batch) {
      const { from, to } = batch;
      if (!mayMove(batch)) return { status: "fenced" };
      const refused = batch.events.flatMap((event) => applyOne(event, batch) ?? []);
      position = { ...from, ...to };
      throughAt = batch.throughAt ?? throughAt;
      leaseEndsMs = now() + batch.leaseMs;
      checkpoints = batch.checkpoints ?? checkpoints;
      return { status: "applied", position, at: new Date(now()), refused };
    },
    async checkpoints() {
      return checkpoints;
    },
    async rewind({ holder: by, epoch, checkpoint }) {
      if (holder !== by) return null;
      const { sequence, messageId } = checkpoint ?? { sequence: 0, messageId: null };
      position = { epoch, history: position.history + 1, sequence, messageId };
      checkpoints = checkpoints.filter((other) => other.sequence <= sequence);
      return position;
    },
    async countSetAside() {
      const events = [...setAside.values()].flatMap((order) => order.events);
      return events.filter(({ reason }) => reason !== null).length;
    },
    async setAside(after, limit) {
      const unread = [...setAside.values()]
        .flatMap((order) => order.events.map((event) => ({ key: orderKey(order), event })))
        .filter(({ event }) => event.reason !== null && compareCursors(event, after) > 0)
        .sort((a, b) => compareCursors(a.event, b.event));
      const keys = new Set(unread.slice(0, limit).map(({ key }) => key));
      const orders = [...setAside].flatMap(([key, order]) => (keys.has(key) ? [order] : []));
      return pageOfSetAside(orders, after, limit);
    },
    async retell(change) {
      const orders = change.orders.filter(isBetterUnderstood);
      if (orders.length === 0) return "retold";
      if (!mayMove(change)) return "fenced";
      leaseEndsMs = now() + change.leaseMs;
      for (const order of orders) retellOne(order, change.deadlines);
      return "retold";
    },
  };

  /** The fence: another holder, or another position than the caller knows. */
  function mayMove(change: Pick<EventBatch, "holder" | "from">): boolean {
    const { from } = change;
    return (
      holder === change.holder &&
      position.history === from.history &&
      position.sequence === from.sequence
    );
  }
}

function isHeld({ reminders }: OrderRow): boolean {
  return reminders <= MOST;
}

function inOrder<T>(orders: ReadonlyMap<string, T>): T[] {
  return [...orders].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, order]) => order);
}

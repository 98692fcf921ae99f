import { setTimeout as sleep, setImmediate as yieldToOthers } from "node:timers/promises";
import type { Bus, BusLogger } from "@localstreet/bus/connection";
import {
  type LogPage,
  type LogReader,
  LogReplacedError,
  openLogReader,
} from "@localstreet/bus/log-reader";
import type { SubjectLog } from "@localstreet/bus/subject-log";
import { VENDOR_STREAM, vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { isBetterUnderstood, withCheckpoint } from "@localstreet/db/order-batch";
import type { OrderDeadlines } from "@localstreet/db/order-due";
import {
  type Checkpoint,
  type EventBatch,
  isUnread,
  type LogEntry,
  type ProjectionPosition,
  type ProjectionStore,
  type RetoldOrder,
  type SetAsideCursor,
  type SetAsideOrder,
  type UnreadEvent,
} from "@localstreet/db/projection-store";
import { parseLoggedEvent, type ReadLogEntry } from "./logged-event.ts";
import { startRepeatedTask } from "./repeated-task.ts";
import { createStoreClock, type StoreClock } from "./store-clock.ts";

export interface OrderProjection {
  /** Stops, and lets another replica take over at once. */
  stop(): Promise<void>;
}

/** Where the projection stands, for whoever watches it. */
export interface ProjectionProgress {
  readonly sequence: number;
  readonly lagEvents: number;
  /** How far behind the store's clock it is for certain, in milliseconds; `null`: as before, and longer. */
  readonly lagMs: number | null;
}

export interface ProjectionMetrics {
  applied(progress: ProjectionProgress): void;
  /** This replica does it no more. */
  standAside(): void;
  /** Messages of the log that this platform did not write. */
  foreign(count: number): void;
  /** Events that are not understood, over all that were read. */
  setAside(count: number): void;
}

export interface ProjectionOptions {
  /** For long reads: live events do not wait behind them. */
  bus: Bus;
  log: Pick<SubjectLog, "bounds" | "eventAt">;
  store: ProjectionStore;
  deadlines: OrderDeadlines;
  /** Another with every start: a replica that restarts under its name is another holder. */
  holder: string;
  settings: {
    readonly tickMs: number;
    readonly leaseMs: number;
    readonly eventsAtOnce: number;
    readonly gatherMs: number;
    /** From one checkpoint to the next. */
    readonly checkpointEvents: number;
  };
  logger: BusLogger;
  metrics: ProjectionMetrics;
  /** What this version understands. */
  read?: ReadLogEntry;
}

/** How far the projection may be behind for deadlines to fire all the same, in milliseconds. */
const NEAR_END_MS = 2_000;
/** How long the log is waited for until the lease is renewed all the same, at most. */
const READ_MS = 500;
/** Events that are parsed in one turn of the event loop. */
const PARSED_AT_ONCE = 50;
/** Events set aside that are tried again in one transaction: their orders may have many more. */
const RETRIED_AT_ONCE = 20;
const WHAT = "the projection of orders";

/**
 * Projects the vendors' log into the table of orders (PROTOCOL.md S30, S44). Every replica tries to; the one that holds the
 * lease does it, and the position in the store says how far it is.
 */
export function startOrderProjection(options: ProjectionOptions): OrderProjection {
  const { bus, log, store, deadlines, holder, settings, logger, metrics } = options;
  const { read = parseLoggedEvent } = options;
  const lease = { holder, leaseMs: settings.leaseMs };
  /** What was set aside up to here this process has tried. */
  let tried: SetAsideCursor = { history: 0, sequence: 0 };
  let setAsideCount = 0;

  const task = startRepeatedTask({
    what: WHAT,
    everyMs: settings.tickMs,
    logger,
    async run({ signal, working }) {
      const leased = await store.lease(lease);
      if (!leased) return;
      const clock = createStoreClock(leased.at);
      const begun = await beginAt(leased.position);
      if (!begun || !(await retrySetAside(begun, signal))) return;
      const reader = openLogReader(bus, VENDOR_STREAM, {
        epoch: begun.epoch,
        after: { sequence: begun.sequence, mark: begun.messageId },
        batch: settings.eventsAtOnce,
      });
      logger.info({ sequence: begun.sequence }, `${WHAT}: this replica does it`);
      try {
        await project(reader, begun, clock, { signal, working });
      } catch (error) {
        if (!(error instanceof LogReplacedError)) throw error;
        logger.warn({ err: error }, `${WHAT}: the log was replaced`);
      } finally {
        reader.close();
        metrics.standAside();
      }
    },
  });

  /** Where to read on: behind the newest event that is still in the log. `null` when the lease is lost. */
  async function beginAt(position: ProjectionPosition): Promise<ProjectionPosition | null> {
    const { epoch, lastSequence } = await log.bounds();
    if (epoch === position.epoch && lastSequence >= position.sequence) {
      const stored = position.sequence > 0 ? await log.eventAt(position.sequence) : null;
      // Gone by age is no other history; another event in its place is, as after a restore.
      const isSame = !stored || position.messageId === null;
      if (isSame || stored.messageId === position.messageId) return position;
    }
    const checkpoint = await newestThatAgrees(lastSequence);
    if (position.epoch !== "") {
      const fields = { epoch, before: position.epoch, from: position.sequence, checkpoint };
      logger.warn(fields, `${WHAT}: another log`);
    }
    return await store.rewind({ holder, epoch, checkpoint });
  }

  /** Events in the log are what proves it: behind one that is gone everything has to be read anyway. */
  async function newestThatAgrees(lastSequence: number): Promise<Checkpoint | null> {
    for (const checkpoint of await store.checkpoints()) {
      if (checkpoint.sequence > lastSequence) continue;
      const stored = await log.eventAt(checkpoint.sequence);
      if (stored?.messageId === checkpoint.messageId) return checkpoint;
    }
    return null;
  }

  /**
   * Tries what was set aside again, before anything new: a replica of another version may have done it. An order is told from
   * its first event that was not understood. @returns whether this replica still holds the lease.
   */
  async function retrySetAside(from: ProjectionPosition, signal: AbortSignal): Promise<boolean> {
    setAsideCount = await store.countSetAside();
    while (!signal.aborted && setAsideCount > 0) {
      const page = await store.setAside(tried, RETRIED_AT_ONCE);
      const orders = page.orders.map(readAgain).filter(isBetterUnderstood);
      if (orders.length > 0) {
        const outcome = await store.retell({ ...lease, from, orders, deadlines });
        if (outcome === "fenced") return false;
        const keys = orders.map(({ vendorId, orderId }) => ({ vendorId, orderId }));
        logger.info({ orders: keys }, `${WHAT}: what was set aside is understood`);
      }
      if (!page.next) break;
      tried = page.next;
    }
    tried = { history: from.history, sequence: from.sequence };
    setAsideCount = await store.countSetAside();
    metrics.setAside(setAsideCount);
    return true;
  }

  function readAgain(order: SetAsideOrder): RetoldOrder {
    const understood = order.events.map((event) => {
      const entry = read({ ...event, subject: vendorOrdersSubject(event.vendorId) });
      return entry && !isUnread(entry) ? entry : null;
    });
    return { ...order, understood };
  }

  /** Until the lease is lost or the replica stops. */
  async function project(
    reader: LogReader,
    begun: ProjectionPosition,
    clock: StoreClock,
    { signal, working }: { signal: AbortSignal; working: () => void },
  ): Promise<void> {
    let from = begun;
    let checkpoints = await store.checkpoints();
    let askedMs = performance.now();
    let wasAtEnd = false;
    while (!signal.aborted) {
      const askedAt = clock.now();
      const sinceMs = performance.now() - askedMs;
      askedMs = performance.now();
      const page = await reader.next(Math.min(READ_MS, settings.tickMs / 2));
      // What a page says of the log's end is as old as the one before it.
      const isAtEnd = page.atEnd && sinceMs < NEAR_END_MS;
      const throughAt = projectedThrough(page, askedAt, wasAtEnd && isAtEnd);
      wasAtEnd = isAtEnd;
      const events = await parsePage(page);
      const to = positionAfter(page, from);
      const next = checkpointsWith(checkpoints, to);
      const outcome = await store.apply({
        ...{ ...lease, from, events, throughAt, deadlines },
        to,
        checkpoints: next === checkpoints ? undefined : next,
      });
      if (outcome.status === "fenced") {
        logger.warn({}, `${WHAT}: another replica has taken over`);
        return;
      }
      checkpoints = next;
      from = outcome.position;
      clock.set(outcome.at);
      tellSetAside([...events.filter(isUnread), ...outcome.refused]);
      metrics.applied({
        sequence: from.sequence,
        lagEvents: page.endSequence - from.sequence,
        lagMs: throughAt && outcome.at.getTime() - throughAt.getTime(),
      });
      working();
      // A transaction for each event would cost more than its delivery: let the next ones gather.
      const isShort = page.events.length > 0 && page.events.length < settings.eventsAtOnce;
      if (isShort) await sleep(settings.gatherMs);
    }
  }

  function checkpointsWith(
    checkpoints: readonly Checkpoint[],
    { sequence, messageId }: { sequence: number; messageId: string | null },
  ): readonly Checkpoint[] {
    const every = settings.checkpointEvents;
    if (!messageId || sequence - (checkpoints[0]?.sequence ?? 0) < every) return checkpoints;
    return withCheckpoint(checkpoints, { sequence, messageId }, every);
  }

  function tellSetAside(unread: readonly UnreadEvent[]): void {
    const [first] = unread;
    if (!first) return;
    setAsideCount += unread.length;
    metrics.setAside(setAsideCount);
    const { data: _, ...about } = first;
    logger.error({ ...about, count: unread.length }, `${WHAT}: not understood, and set aside`);
  }

  async function parsePage({ events }: LogPage): Promise<LogEntry[]> {
    const parsed: LogEntry[] = [];
    for (const [index, stored] of events.entries()) {
      if (index > 0 && index % PARSED_AT_ONCE === 0) await yieldToOthers();
      const entry = read(stored);
      if (entry) parsed.push(entry);
    }
    metrics.foreign(events.length - parsed.length);
    return parsed;
  }

  return {
    async stop() {
      await task.stop();
      // The store away: the lease ends by itself.
      await store.release(holder).catch(() => {});
    },
  };
}

/** Postgres holds no NUL in a text: a foreign message whose id has one is as if it had none. */
function positionAfter({ events }: LogPage, from: ProjectionPosition): EventBatch["to"] {
  const { sequence, messageId } = events.at(-1) ?? from;
  return { sequence, messageId: messageId?.includes("\0") ? null : messageId };
}

/**
 * The time up to which the log is projected with this page; `null` where answers may follow that were stored long ago.
 *
 * @param askedAt by the clock of the store: an empty page was checked with the leader after it. That the clocks of the stores
 *   agree is assumed; what one is ahead of the other, deadlines may be early or late.
 * @param follows the events are those of a moment: this page and the one before it ended where the log did.
 */
function projectedThrough(
  { events, atEnd }: LogPage,
  askedAt: Date,
  follows: boolean,
): Date | null {
  const last = events.at(-1);
  if (!last) return atEnd ? askedAt : null;
  const isNearEnd = askedAt.getTime() - last.storedAt.getTime() < NEAR_END_MS;
  return follows || isNearEnd ? last.storedAt : null;
}

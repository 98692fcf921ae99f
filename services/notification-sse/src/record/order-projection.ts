import { randomUUID } from "node:crypto";
import { setTimeout as sleep, setImmediate as yieldToOthers } from "node:timers/promises";
import type { Bus } from "@localstreet/bus/connection";
import {
  type LogPage,
  type LogReader,
  LogReplacedError,
  openLogReader,
} from "@localstreet/bus/log-reader";
import type { SubjectLog } from "@localstreet/bus/subject-log";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import type { OrderDeadlines } from "@localstreet/db/order-due";
import {
  applyEvents,
  type LoggedEvent,
  leaseProjection,
  type ProjectionPosition,
  releaseProjection,
  restartProjection,
} from "@localstreet/db/order-projection";
import type { Pool } from "@localstreet/db/pool";
import type { ServiceKit } from "@localstreet/service-kit/service";
import type { NotificationConfig } from "../config.ts";
import { parseLoggedEvent } from "./logged-event.ts";
import { registerProjectionMetrics } from "./projection-metrics.ts";
import { startRepeatedTask } from "./repeated-task.ts";

export interface OrderProjection {
  /** Stops, and lets another replica take over at once. */
  stop(): Promise<void>;
}

/** How far the projection may be behind for deadlines to fire all the same, in milliseconds. */
const NEAR_END_MS = 2_000;
/** How long the log is waited for until the lease is renewed all the same, at most. */
const READ_MS = 500;
/** Events that are parsed in one turn of the event loop. */
const PARSED_AT_ONCE = 50;

/**
 * Projects the vendors' log into the table of orders (PROTOCOL.md S30). Every replica tries to; the one that holds the
 * lease does it, and the position in Postgres says how far it is.
 */
export function startOrderProjection(
  kit: ServiceKit<NotificationConfig>,
  options: { bus: Bus; pool: Pool; log: SubjectLog; deadlines: OrderDeadlines },
): OrderProjection {
  const { config, logger } = kit;
  const { bus, pool, log, deadlines } = options;
  // A replica that restarts under its name is another holder.
  const lease = { holder: `${kit.replica} ${randomUUID()}`, leaseMs: config.ORDER_LEASE_MS };
  const metrics = registerProjectionMetrics(kit);

  const task = startRepeatedTask({
    what: "the projection of orders",
    everyMs: config.ORDER_TICK_MS,
    logger,
    async run({ signal, working }) {
      const leased = await leaseProjection(pool, lease);
      if (!leased) return;
      const begun = await beginAt(leased);
      if (!begun) return;
      const reader = openLogReader(bus, VENDOR_STREAM, {
        afterSequence: begun.sequence,
        batch: config.ORDER_EVENTS_AT_ONCE,
      });
      logger.info({ sequence: begun.sequence }, "the projection of orders: this replica does it");
      try {
        await project(reader, begun, { signal, working });
      } catch (error) {
        if (!(error instanceof LogReplacedError)) throw error;
        logger.warn({ err: error }, "the projection of orders: the log was replaced");
      } finally {
        reader.close();
        metrics.standAside();
      }
    },
  });

  /** Where to read on: at the beginning when the log is not the one that was read. `null` when the lease is lost. */
  async function beginAt(position: ProjectionPosition): Promise<ProjectionPosition | null> {
    const { epoch, lastSequence } = await log.bounds();
    if (epoch === position.epoch && lastSequence >= position.sequence) {
      const stored = position.sequence > 0 ? await log.eventAt(position.sequence) : null;
      // Gone by age is no other history; another event in its place is, as after a restore.
      if (!stored || stored.messageId === position.messageId) return position;
    }
    if (position.epoch !== "") {
      logger.warn({ epoch, before: position.epoch }, "the projection of orders: another log");
    }
    return await restartProjection(pool, { holder: lease.holder, epoch });
  }

  /** Until the lease is lost or the replica stops. */
  async function project(
    reader: LogReader,
    begun: ProjectionPosition,
    { signal, working }: { signal: AbortSignal; working: () => void },
  ): Promise<void> {
    let from = begun;
    while (!signal.aborted) {
      const askedAt = new Date();
      const page = await reader.next(Math.min(READ_MS, config.ORDER_TICK_MS / 2));
      const throughAt = projectedThrough(page, askedAt);
      const outcome = await applyEvents(pool, {
        ...lease,
        from,
        events: await parsePage(page),
        to: page.events.at(-1) ?? from,
        throughAt,
        deadlines,
      });
      if (outcome.status === "fenced") {
        logger.warn("the projection of orders: another replica has taken over");
        return;
      }
      from = outcome.position;
      metrics.skipped("refused", outcome.refused);
      metrics.applied({
        sequence: from.sequence,
        lagEvents: page.endSequence - from.sequence,
        throughAt,
      });
      working();
      // A transaction for each event would cost more than its delivery: let the next ones gather.
      const isShort = page.events.length > 0 && page.events.length < config.ORDER_EVENTS_AT_ONCE;
      if (isShort) await sleep(config.ORDER_GATHER_MS);
    }
  }

  async function parsePage({ events }: LogPage): Promise<LoggedEvent[]> {
    const parsed: LoggedEvent[] = [];
    for (const [index, stored] of events.entries()) {
      if (index > 0 && index % PARSED_AT_ONCE === 0) await yieldToOthers();
      const event = parseLoggedEvent(stored);
      if (event === "foreign" || event === "malformed") metrics.skipped(event, 1);
      else parsed.push(event);
    }
    return parsed;
  }

  return {
    async stop() {
      await task.stop();
      // Postgres away: the lease ends by itself.
      await releaseProjection(pool, lease.holder).catch(() => {});
    },
  };
}

/**
 * The time up to which the log is projected with this page; `null` where answers may follow that were stored long ago. What
 * a page says of the log's end may be old: only an empty one was checked with the leader.
 */
function projectedThrough({ events, atEnd }: LogPage, askedAt: Date): Date | null {
  const last = events.at(-1);
  if (!last) return atEnd ? askedAt : null;
  return Date.now() - last.storedAt.getTime() < NEAR_END_MS ? last.storedAt : null;
}

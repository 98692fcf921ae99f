import type { StoredEvent, SubjectLog } from "@localstreet/bus/subject-log";
import type { OrderId, VendorId } from "@localstreet/contracts/ids";
import type { OrderDecision } from "@localstreet/contracts/order";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { type OrdersAt, readOrder, readSetAside } from "@localstreet/db/order-reads";
import type { Pool } from "@localstreet/db/pool";
import type { SetAsideOrder } from "@localstreet/db/projection-store";
import type { Logger } from "@localstreet/service-kit/logger";
import { inTime } from "../in-time.ts";
import { decisionAfter, decisionOfEvent, decisionOfRow } from "./order-decisions.ts";

export type FoundOrder =
  | {
      readonly status: "found";
      /** `null` while it is open. */
      readonly decision: OrderDecision | null;
      readonly received: boolean;
      readonly seen: boolean;
    }
  /** The vendor has no such order. */
  | { readonly status: "missing" }
  /** Nobody can tell now: Postgres is away, or far behind. */
  | { readonly status: "unknown" };

/**
 * What is known of an order when it is asked for: the record, and what the log holds beyond it, so that it does not matter
 * how far the record is behind.
 *
 * @throws {BusUnavailableError}
 */
export type LookUpOrder = (vendorId: VendorId, orderId: OrderId) => Promise<FoundOrder>;

/** Events of one vendor that are read beyond the record, before it counts as far behind. */
const BEYOND_RECORD = 1_000;
const UNKNOWN: FoundOrder = { status: "unknown" };

/** @param options.timeoutMs for all of it, in milliseconds. */
export function createOrderLookup(options: {
  pool: Pool;
  log: SubjectLog;
  logger: Logger;
  timeoutMs: number;
}): LookUpOrder {
  const { pool, log, logger, timeoutMs } = options;

  /** The record of the order, and its events that were set aside, where there are any. */
  async function readRecord(
    vendorId: VendorId,
    orderId: OrderId,
  ): Promise<(OrdersAt & { readonly setAside: SetAsideOrder | null }) | null> {
    try {
      for (;;) {
        const record = await readOrder(pool, { vendorId, orderId });
        if (!record.isSetAside) return { ...record, setAside: null };
        const setAside = await readSetAside(pool, { vendorId, orderId });
        // If not, they were understood in between.
        if (setAside) return { ...record, setAside };
      }
    } catch (error) {
      if ((error as { retryable?: unknown }).retryable !== true) throw error;
      logger.warn({ err: error }, "an order was not looked up");
      return null;
    }
  }

  async function lookUp(vendorId: VendorId, orderId: OrderId): Promise<FoundOrder> {
    const subject = vendorOrdersSubject(vendorId);
    const [record, head] = await Promise.all([readRecord(vendorId, orderId), log.head(subject)]);
    if (!record?.position) return UNKNOWN;
    const { position, orders } = record;
    const row = orders[0];
    const isSameLog = position.epoch === (await log.bounds()).epoch;
    const beyond = isSameLog
      ? await readBeyond(subject, position.sequence, head?.sequence ?? 0)
      : null;
    if (!beyond && !row && !record.setAside) return UNKNOWN;

    const events: Pick<StoredEvent, "kind" | "messageId" | "data">[] = [
      ...(record.setAside?.events ?? []),
      ...(beyond?.filter((event) => isOf(event, orderId)) ?? []),
    ];
    if (!row && !events.some(({ kind }) => kind === "new-order")) return { status: "missing" };
    // This version may understand what the one that wrote the row did not.
    const base = record.setAside ? record.setAside.base : row;
    const told = (state: "received" | "seen") =>
      events.some(({ messageId }) => messageId.endsWith(`:order-acknowledged:${orderId}:${state}`));
    return {
      status: "found",
      decision: events.reduce(
        (decision, event) => decisionAfter(decision, decisionOfEvent(event)),
        base ? decisionOfRow(base) : null,
      ),
      received: row?.receivedAt != null || told("received"),
      seen: row?.seenAt != null || told("seen"),
    };
  }

  /** `null` when there are too many. */
  async function readBeyond(
    subject: string,
    afterSequence: number,
    untilSequence: number,
  ): Promise<StoredEvent[] | null> {
    const events: StoredEvent[] = [];
    const after = { sequence: afterSequence, mark: null };
    for await (const page of log.pages({ subject, after, untilSequence })) {
      events.push(...page);
      if (events.length > BEYOND_RECORD) return null;
    }
    return events;
  }

  return (vendorId, orderId) => inTime(timeoutMs, lookUp(vendorId, orderId), UNKNOWN);
}

/** An order's id stands third in the `Nats-Msg-Id` of each of its events, after the vendor and the kind. */
function isOf({ messageId }: StoredEvent, orderId: OrderId): boolean {
  return messageId.split(":", 3)[2] === orderId;
}

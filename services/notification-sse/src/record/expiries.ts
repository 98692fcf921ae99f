import type { Bus } from "@localstreet/bus/connection";
import { publishVendorEventIfLast } from "@localstreet/bus/publish-vendor-event";
import type { SubjectLog } from "@localstreet/bus/subject-log";
import type { VendorId } from "@localstreet/contracts/ids";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import type { VendorEventData } from "@localstreet/contracts/vendor-events";
import type { ProjectedUntil } from "@localstreet/db/order-deadlines";
import type { OrderRow } from "@localstreet/db/order-row";
import { decisionOfEvent } from "../orders/order-decisions.ts";

export interface Expiries {
  /**
   * Ends the order, unless the log holds what decides it otherwise. `not-now`: the vendor's log moves too fast, or it is not
   * the one that the record was read from; the order stays due.
   *
   * @throws {BusUnavailableError}
   */
  expire(
    order: OrderRow,
    data: VendorEventData<"order-expired">,
  ): Promise<"expired" | "answered" | "not-now">;
}

/** Times that an expiry is tried whose vendor has new events again and again. */
const TRIES = 10;
/** Events of one vendor that are read beyond the record. */
const BEYOND_RECORD = 1_000;

/** What one vendor's log holds beyond the record. */
interface Seen {
  /** The newest event that was looked at. */
  sequence: number;
  /** Orders that something decided; a cancellation does as well. */
  readonly decided: Set<string>;
  count: number;
}

/**
 * Expiries of one round. Not every event that decides an order shares the `Nats-Msg-Id` of decisions (a cancellation, a status
 * of another publisher), so an expiry is stored only behind events that were looked at: devices, which see the order of the
 * log, and the record agree on what ended an order (PROTOCOL.md S33). Those of one vendor are published one after another.
 */
export function createExpiries(options: {
  bus: Bus;
  log: Pick<SubjectLog, "bounds" | "head" | "pages">;
  until: ProjectedUntil;
}): Expiries {
  const { bus, log, until } = options;
  const vendors = new Map<VendorId, { seen: Seen; turn: Promise<unknown> }>();
  let isSameLog: Promise<boolean> | null = null;

  async function readIsSameLog(): Promise<boolean> {
    return until.epoch === (await log.bounds()).epoch;
  }

  /** Looks at what came since; `false` when that is too much. */
  async function look(vendorId: VendorId, seen: Seen): Promise<boolean> {
    const subject = vendorOrdersSubject(vendorId);
    const untilSequence = (await log.head(subject))?.sequence ?? 0;
    const after = { sequence: seen.sequence, mark: null };
    for await (const page of log.pages({ subject, after, untilSequence })) {
      for (const event of page) {
        const orderId = event.messageId.split(":", 3)[2];
        if (orderId && decisionOfEvent(event)) seen.decided.add(orderId);
      }
      seen.count += page.length;
      if (seen.count > BEYOND_RECORD) return false;
    }
    seen.sequence = untilSequence;
    return true;
  }

  async function expireInTurn(
    seen: Seen,
    { vendorId, orderId }: OrderRow,
    data: VendorEventData<"order-expired">,
  ): Promise<"expired" | "answered" | "not-now"> {
    isSameLog ??= readIsSameLog();
    if (!(await isSameLog)) return "not-now";
    for (let tries = 0; tries < TRIES; tries++) {
      if (!(await look(vendorId, seen))) return "not-now";
      if (seen.decided.has(orderId)) return "answered";
      const event = { vendorId, kind: "order-expired", data } as const;
      const published = await publishVendorEventIfLast(bus, event, seen.sequence);
      if (!published) continue;
      return published.status === "conflict" ? "answered" : "expired";
    }
    return "not-now";
  }

  return {
    expire(order, data) {
      const vendor = vendors.get(order.vendorId) ?? {
        seen: { sequence: until.sequence, decided: new Set(), count: 0 },
        turn: Promise.resolve(),
      };
      const expiry = vendor.turn.then(() => expireInTurn(vendor.seen, order, data));
      vendors.set(order.vendorId, { ...vendor, turn: expiry.catch(() => {}) });
      return expiry;
    },
  };
}

import { RINGS } from "../shop-desk.ts";
import type { Liar } from "./liar.ts";
import { type ApiAnswer, NOT_FOUND } from "./wire.ts";

/** When an order rings, in milliseconds since it was placed. */
const DEADLINES = { remindEvery: 250, escalateAfter: 600, expireAfter: 1_600 } as const;
export const LYING_REMINDERS = 4;
/** How long after an answer a liar still rings. */
const LATE_MS = 1_250;

interface Ringing {
  readonly vendorId: string;
  readonly orderId: string;
  readonly timers: NodeJS.Timeout[];
  winner: { state: string } | undefined;
}

/** Stores an event and brings it to the vendor's streams. @returns its id. */
export type Tell = (vendorId: string, kind: string, data: Record<string, unknown>) => string;

/**
 * Answers and snapshots of orders, with the lies that can be told about them. Only those that are to ring have deadlines:
 * a dozen of these servers run beside each other.
 */
export function createLyingAlerts(
  liar: Liar,
  { tell, headOf, start }: { tell: Tell; headOf(vendorId: string): string; start: string },
) {
  const orders = new Map<string, Ringing>();
  const timers = new Set<NodeJS.Timeout>();

  function after(ms: number, order: Ringing, work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
    order.timers.push(timer);
  }

  function tellOf({ vendorId, orderId }: Ringing, kind: string, more: object): string {
    return tell(vendorId, kind, { vendorId, orderId, at: new Date().toISOString(), ...more });
  }

  function remind(order: Ringing, reminder: number): void {
    tellOf(order, "order-reminder", { reminder });
    if (liar.once("fires a reminder twice, under two ids", 3)) {
      tellOf(order, "order-reminder", { reminder });
    }
  }

  function decide(order: Ringing, kind: string, state: string): string {
    order.winner ??= { state };
    for (const timer of order.timers) clearTimeout(timer);
    return tellOf(order, kind, { state });
  }

  return {
    place(vendorId: string, orderId: string): void {
      const order: Ringing = { vendorId, orderId, timers: [], winner: undefined };
      orders.set(`${vendorId}/${orderId}`, order);
      if (!orderId.startsWith(RINGS)) return;
      const { remindEvery, escalateAfter, expireAfter } = DEADLINES;
      for (let reminder = 1; reminder <= LYING_REMINDERS; reminder++) {
        after(remindEvery * reminder, order, () => remind(order, reminder));
      }
      if (!liar.always("never escalates")) {
        const more = { reason: "unanswered" };
        after(escalateAfter, order, () => tellOf(order, "order-escalated", more));
      }
      if (!liar.always("lets no order expire")) {
        after(expireAfter, order, () => decide(order, "order-expired", "expired"));
      }
    },

    answer(vendorId: string, orderId: string, state: string): ApiAnswer {
      const order = orders.get(`${vendorId}/${orderId}`);
      if (!order) return NOT_FOUND;
      const { winner } = order;
      if (winner && winner.state !== state) {
        if (!liar.once("lets two answers win", 2)) {
          return { status: 409, body: { code: "already-decided", status: 409, winner } };
        }
      } else if (winner) return { status: 200, body: { id: null, state, duplicate: true } };
      const id = decide(order, "order-acknowledged", state);
      if (liar.once("rings on though an order was answered", 2)) {
        after(LATE_MS, order, () => remind(order, 1));
      }
      return { status: 200, body: { id, state, duplicate: false } };
    },

    snapshot(vendorId: string): ApiAnswer {
      const open = [...orders.values()].filter(
        (order) => order.vendorId === vendorId && !order.winner,
      );
      if (open.length > 0 && liar.once("leaves an open order out of a snapshot", 3)) open.shift();
      const isOlder = open.length > 0 && liar.once("says that a snapshot is older than it is", 3);
      const listed = open.map(({ orderId }) => ({ vendorId, orderId, state: "ringing" }));
      const asOf = isOlder ? start : headOf(vendorId);
      return { status: 200, body: { asOf, current: true, orders: listed, more: false } };
    },

    close(): void {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

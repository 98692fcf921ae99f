import { type Ledger, orderKey } from "./ledger.ts";
import { lifeEvent } from "./order-life.ts";
import { requestPersistently } from "./persistent-request.ts";
import type { Target } from "./target.ts";

export type Answer = "accepted" | "rejected";

export interface ShopDesk {
  /**
   * All of `answers` at the same moment, each from another device. The ledger is told when not all learn of one winner.
   *
   * @returns what each device was told to be the answer; `null` where it was told nothing.
   */
  answer(orderId: string, answers: readonly Answer[]): Promise<readonly (string | null)[]>;
  /** Nobody is going to answer: so many reminders, the escalation and the expiry must come. */
  letRing(orderId: string, reminders: number): void;
  /**
   * Reads the open orders, for the judge to hold them to the log.
   *
   * @returns the id to follow the stream from; `null` when they were not to be had in time.
   */
  readSnapshot(): Promise<string | null>;
}

/** What the id of an order begins with that nobody is going to answer. */
export const RINGS = "rings-";

/** More than a page of them is no snapshot: what is missing in it is on the next one. */
const SNAPSHOT_LIMIT = 500;

/** The vendor's staff, who answer orders or let them ring, and look at what is open. */
export function openShopDesk(options: {
  target: Target;
  /** Where each device that answers finds the platform; at `target` when they are absent. */
  targets?: readonly Target[];
  ledger: Ledger;
  vendorId: string;
  giveUpMs?: number;
}): ShopDesk {
  const { target, ledger, vendorId, giveUpMs = 60_000 } = options;
  const as = (device: string) =>
    ({ role: "vendor", sub: `${device}-of-${vendorId}`, vendors: [vendorId] }) as const;

  async function tellAnswer(orderId: string, state: Answer, index: number) {
    const path = `/api/vendor/${vendorId}/orders/${orderId}/ack`;
    const outcome = await requestPersistently(
      options.targets?.[index] ?? target,
      { method: "POST", path, as: as(`desk-${index}`), body: { state } },
      { giveUpMs },
    );
    if (outcome.kind === "done") return state;
    const { winner } = (outcome.body ?? {}) as { winner?: { state?: string } };
    return outcome.code === "already-decided" ? (winner?.state ?? "nobody") : null;
  }

  return {
    async answer(orderId, answers) {
      const told = await Promise.all(
        answers.map((state, index) => tellAnswer(orderId, state, index)),
      );
      const winners = new Set(told.filter((winner) => winner !== null));
      if (winners.size > 1) ledger.findTwoWinners(orderKey(vendorId, orderId));
      return told;
    },

    letRing(orderId, reminders) {
      const order = orderKey(vendorId, orderId);
      for (let n = 1; n <= reminders; n++) {
        ledger.expect(lifeEvent(vendorId, order, `reminder:${n}`));
      }
      ledger.expect(lifeEvent(vendorId, order, "escalated"));
      ledger.expect(lifeEvent(vendorId, order, "outcome"));
    },

    async readSnapshot() {
      const path = `/api/vendor/${vendorId}/orders?state=open&limit=${SNAPSHOT_LIMIT}`;
      const outcome = await requestPersistently(
        target,
        { method: "GET", path, as: as("desk") },
        { giveUpMs },
      );
      if (outcome.kind === "refused") return null;
      const { asOf, orders, more } = outcome.answer.body as {
        asOf: string;
        orders: { orderId: string }[];
        more: boolean;
      };
      const keys = orders.map(({ orderId }) => orderKey(vendorId, orderId));
      ledger.snapshots.push({ group: vendorId, asOf, orders: keys, isWhole: !more });
      return asOf;
    },
  };
}

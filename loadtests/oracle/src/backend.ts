import { randomUUID } from "node:crypto";
import type { Order } from "@localstreet/contracts/order";
import { nowMs } from "./clock.ts";
import { type Ledger, orderKey } from "./ledger.ts";
import { type Outcome, requestPersistently } from "./persistent-request.ts";
import type { Identity, Target } from "./target.ts";

/** What a backend has sent, and what it was told. */
export interface BackendCounts {
  /** Orders, each once however often it was sent. */
  readonly posted: number;
  readonly attempts: number;
  readonly accepted: number;
  /** For good, with an answer that says that nothing was stored. */
  readonly refused: number;
  /** Given up without knowing whether it was stored. */
  readonly unknown: number;
  /** Accepted only when they were sent again, after an attempt that may have been carried out. */
  readonly resolved: number;
  /** Of those, the ones that had been stored by an earlier attempt. */
  readonly foundStored: number;
}

export interface Backend {
  readonly counts: BackendCounts;
  /** Sends an order until it is accepted or refused; the same order for the same `orderId`. */
  postOrder(order: {
    vendorId: string;
    orderId?: string;
    buyerId?: string;
    items?: Order["items"];
  }): Promise<Outcome>;
}

const BUNS: Order["items"] = [{ name: "Cinnamon bun", quantity: 2, unitPrice: 3_500 }];
const BACKEND: Identity = { role: "service", sub: "oracle-backend" };

/**
 * The marketplace's own backend, which places orders (PROTOCOL.md S1 to S3). Each is owed to whoever has joined its
 * vendor in `ledgers`: the one of the vendors' streams, the one of the dashboards, or both.
 */
export function openBackend(options: {
  target: Target;
  ledgers: readonly Ledger[];
  /** How long one order is tried. 60 s when absent. */
  giveUpMs?: number;
}): Backend {
  const { target, ledgers, giveUpMs = 60_000 } = options;
  const counts = {
    posted: 0,
    attempts: 0,
    accepted: 0,
    refused: 0,
    unknown: 0,
    resolved: 0,
    foundStored: 0,
  };

  function count(outcome: Outcome): void {
    counts.attempts += outcome.attempts;
    if (outcome.kind === "refused") counts[outcome.mayExist ? "unknown" : "refused"] += 1;
    else {
      counts.accepted += 1;
      if (!outcome.mayExist) return;
      counts.resolved += 1;
      const { duplicate } = outcome.answer.body as { duplicate?: boolean };
      if (duplicate) counts.foundStored += 1;
    }
  }

  return {
    counts,
    async postOrder({ vendorId, orderId = randomUUID(), buyerId = "oracle-buyer", items = BUNS }) {
      const key = orderKey(vendorId, orderId);
      for (const ledger of ledgers) {
        const audience = ledger.membersOf(vendorId);
        ledger.offer(key, { audience, scopes: [vendorId], group: vendorId, atMs: nowMs() });
      }
      counts.posted += 1;
      const path = `/api/vendor/${vendorId}/orders`;
      const body = orderOf(orderId, buyerId, items);
      const outcome = await requestPersistently(
        target,
        { method: "POST", path, as: BACKEND, body },
        { giveUpMs },
      );
      count(outcome);
      for (const ledger of ledgers) {
        if (outcome.kind === "done") {
          const id = String((outcome.answer.body as { id?: unknown } | null)?.id);
          ledger.acknowledge(key, { id, group: vendorId, atMs: nowMs() });
        } else ledger.refuse(key, outcome);
      }
      return outcome;
    },
  };
}

function orderOf(orderId: string, buyerId: string, items: Order["items"]): object {
  const total = items.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0);
  const order = { orderId, buyerId, items, total, currency: "SEK" };
  return order satisfies Record<keyof Omit<Order, "note">, unknown>;
}

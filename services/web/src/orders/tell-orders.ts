import { sleep } from "@localstreet/client/abortable";
import type { OrderId } from "@localstreet/contracts/ids";
import { raise } from "@localstreet/contracts/raise";
import { HttpError } from "../http-error.ts";

type Telling = "received" | "seen";

/** At once: a desk that opens with hundreds of orders leaves room for an answer. */
const AT_ONCE = 3;
const RETRY_MS = 3_000;
const LONGEST_RETRY_MS = 60_000;

export interface OrderTeller {
  /** Once for each order and state. */
  tell(orderId: OrderId, state: Telling): void;
  close(): void;
}

/** Tells the platform what this device shows, until it knows or it does not matter any more. */
export function createOrderTeller(options: {
  send(orderId: OrderId, state: Telling): Promise<unknown>;
  /** Whether it may still be told of the order. */
  matters(orderId: OrderId): boolean;
}): OrderTeller {
  const told = new Map<OrderId, Set<Telling>>();
  const waiting: { orderId: OrderId; state: Telling }[] = [];
  const closing = new AbortController();
  let active = 0;

  async function tellOne(orderId: OrderId, state: Telling): Promise<void> {
    let waitMs = RETRY_MS;
    while (options.matters(orderId) && !closing.signal.aborted) {
      try {
        await options.send(orderId, state);
        return;
      } catch (error) {
        if (isFinal(error)) return;
        const retryAfterMs = error instanceof HttpError ? (error.retryAfterMs ?? 0) : 0;
        await sleep(Math.min(Math.max(waitMs, retryAfterMs), LONGEST_RETRY_MS), closing.signal);
        waitMs *= 2;
      }
    }
  }

  function tellNext(): void {
    while (active < AT_ONCE) {
      const next = waiting.shift();
      if (!next) return;
      active += 1;
      tellOne(next.orderId, next.state)
        .finally(() => {
          active -= 1;
          tellNext();
        })
        .catch(raise);
    }
  }

  return {
    tell(orderId, state) {
      const states = told.get(orderId) ?? new Set();
      if (states.has(state)) return;
      told.set(orderId, states.add(state));
      // What is over will not be told of again.
      for (const id of told.keys()) if (!options.matters(id)) told.delete(id);
      // Somebody has looked: that stops a sound, and goes first.
      if (state === "seen") waiting.unshift({ orderId, state });
      else waiting.push({ orderId, state });
      tellNext();
    },
    close() {
      closing.abort();
      waiting.length = 0;
    },
  };
}

/** Trying again would not help: somebody else has answered, or there is no such order here. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof HttpError)) return false;
  return error.status < 500 && ![401, 408, 429].includes(error.status);
}

import type { StreamEvent } from "@localstreet/client/event-stream";

/** Events in the order of arrival, each to be taken once. Who does not take them loses the oldest. */
export interface EventQueue {
  push(event: StreamEvent): void;
  /** Ends every wait, now and from now on. */
  fail(error: Error): void;
  /** Resolves once an event has ever arrived. */
  first(timeoutMs: number, what: string): Promise<void>;
  /** Takes the next `count` events that match; those in between are passed over. @throws when they do not come in time. */
  take(
    matches: (event: StreamEvent) => boolean,
    options: { count: number; timeoutMs: number; what: string },
  ): Promise<StreamEvent[]>;
}

const KEPT_EVENTS = 10_000;

export function createEventQueue(): EventQueue {
  const events: StreamEvent[] = [];
  const waiting = new Set<() => void>();
  let hasBegun = false;
  let failure: Error | undefined;

  const wake = () => {
    for (const check of [...waiting]) check();
  };

  /** Resolves with the first value that `check` gives. */
  function wait<T>(check: () => T | undefined, timeoutMs: number, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        waiting.delete(look);
        finish();
      };
      const look = () => {
        const value = check();
        if (value !== undefined) settle(() => resolve(value));
        else if (failure) settle(() => reject(failure));
      };
      const timer = setTimeout(
        () =>
          settle(() => reject(new Error(`${what} did not arrive within ${timeoutMs / 1_000} s`))),
        timeoutMs,
      );
      waiting.add(look);
      look();
    });
  }

  return {
    push(event) {
      hasBegun = true;
      events.push(event);
      if (events.length > KEPT_EVENTS) events.shift();
      wake();
    },
    fail(error) {
      failure = error;
      wake();
    },
    async first(timeoutMs, what) {
      await wait(() => hasBegun || undefined, timeoutMs, what);
    },
    take(matches, { count, timeoutMs, what }) {
      const taken: StreamEvent[] = [];
      const enough = () => {
        for (let event = events.shift(); event; event = events.shift()) {
          if (matches(event)) taken.push(event);
          if (taken.length === count) return taken;
        }
        return undefined;
      };
      return wait(enough, timeoutMs, what);
    },
  };
}

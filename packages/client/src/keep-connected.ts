import { sleep } from "./abortable.ts";
import { createBackoff } from "./backoff.ts";
import type { ConnectionState } from "./connection-state.ts";

/** Why a connection is over, and what that means for the next one. */
export type ConnectionEnd =
  | { readonly kind: "lost"; readonly reason: string; readonly retryAfterMs?: number }
  | { readonly kind: "token-refused"; readonly reason: string; readonly retryAfterMs?: number }
  | { readonly kind: "refused"; readonly code: string };

/**
 * A server cannot make a client wait longer than this, in milliseconds: by mistake it would ask for ever, and a timer of
 * more than 24 days fires at once.
 */
const LONGEST_WAIT_MS = 10 * 60_000;

export interface KeptConnection {
  readonly state: ConnectionState;
  close(): void;
}

export function lostBy(error: unknown): ConnectionEnd {
  return { kind: "lost", reason: error instanceof Error ? error.message : String(error) };
}

/**
 * Opens one connection after the other until `close()` or a refusal for good. `connectOnce` resolves with the end of its
 * connection, never rejects, calls `opened` once the server has answered, and gives up when `signal` aborts.
 */
export function keepConnected(options: {
  connectOnce(signal: AbortSignal, opened: () => void): Promise<ConnectionEnd>;
  onState: ((state: ConnectionState) => void) | undefined;
  /** Whether a refused token may be followed by another one. */
  tokenRenewable: boolean;
  backoffMs: { base: number; cap: number } | undefined;
}): KeptConnection {
  const { base, cap } = options.backoffMs ?? { base: 500, cap: 30_000 };
  const backoff = createBackoff({ baseMs: base, capMs: cap });
  const closing = new AbortController();
  let state: ConnectionState = { phase: "connecting" };

  function enter(next: ConnectionState): void {
    state = next;
    if (options.onState) callOut(options.onState, next);
  }

  async function run(): Promise<void> {
    let tokenRefusals = 0;
    while (!closing.signal.aborted) {
      let openedAt: number | undefined;
      enter({ phase: "connecting" });
      const end = await options.connectOnce(closing.signal, () => {
        if (closing.signal.aborted || openedAt !== undefined) return;
        openedAt = Date.now();
        tokenRefusals = 0;
        enter({ phase: "open" });
      });
      if (closing.signal.aborted) return;
      if (end.kind === "refused") return enter({ phase: "refused", code: end.code });
      if (end.kind === "token-refused") {
        if (!options.tokenRenewable) return enter({ phase: "refused", code: "unauthenticated" });
        tokenRefusals += 1;
        if (tokenRefusals === 1) continue;
      }
      const openMs = openedAt === undefined ? 0 : Date.now() - openedAt;
      const waitMs = Math.min(backoff.next(openMs, end.retryAfterMs), LONGEST_WAIT_MS);
      enter({ phase: "waiting", nextAttemptAt: Date.now() + waitMs, reason: end.reason });
      await sleep(waitMs, closing.signal);
    }
  }

  // The caller holds its connection before it hears of a state.
  queueMicrotask(() => {
    run().catch(raise);
  });

  return {
    get state() {
      return state;
    },
    close() {
      if (closing.signal.aborted) return;
      closing.abort(new Error("closed"));
      enter({ phase: "closed" });
    },
  };
}

/**
 * Calls a callback of the application. What it throws is the application's bug: it is raised as an uncaught error, where
 * every runtime shows it, and the connection goes on.
 */
export function callOut<T>(callback: (value: T) => void, value: T): void {
  try {
    callback(value);
  } catch (error) {
    raise(error);
  }
}

function raise(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

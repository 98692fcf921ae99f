import { Problem } from "@localstreet/contracts/problem";
import type { ChatStore, CommitOutcome, NewMessage } from "@localstreet/db/chat-store";
import type { Sides } from "./membership.ts";

/** A message that is in Postgres, now or already before. */
export type Committed = Exclude<CommitOutcome, { status: "refused" }>;

/** Whom a message concerns, and who needs no push of it. */
export interface Origin {
  readonly sides: Sides;
  /** The socket that sends it; `null` for HTTP. */
  readonly sessionId: string | null;
}

export interface GroupCommit {
  /**
   * Resolves when the message is committed (PROTOCOL.md C2).
   *
   * @throws {Problem} `unavailable` when Postgres cannot commit it in time or too many wait already (C11); it may still
   * become committed then, and is found as a duplicate when it comes again. `invalid-request` when Postgres cannot hold
   * it.
   */
  commit(message: NewMessage, origin: Origin): Promise<Committed>;
  /** Resolves when nothing waits any more. */
  idle(): Promise<void>;
}

interface Waiting {
  readonly message: NewMessage;
  readonly origin: Origin;
  readonly expiresAtMs: number;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * While one transaction is under way the next batch gathers, so that a busy replica commits many messages at once and
 * an idle one commits each at once.
 *
 * @param options.onStored for each message once it is committed for the first time, before its sender learns of it.
 */
export function createGroupCommit(options: {
  store: Pick<ChatStore, "commitBatch">;
  batchSize: number;
  queueSize: number;
  timeoutMs: number;
  onStored: (message: Committed["message"], origin: Origin) => void;
  onBatch?: (size: number, durationMs: number) => void;
}): GroupCommit {
  const { store, batchSize, queueSize, timeoutMs, onStored, onBatch } = options;
  const queue: Waiting[] = [];
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    while (queue.length > 0) {
      const nowMs = performance.now();
      const batch: Waiting[] = [];
      for (const waiting of queue.splice(0, batchSize)) {
        // Its sender has been told that it failed; storing it would only delay the others.
        if (waiting.expiresAtMs > nowMs) batch.push(waiting);
      }
      await commitTogether(batch);
    }
    working = undefined;
  }

  async function commitTogether(batch: readonly Waiting[]): Promise<void> {
    const startMs = performance.now();
    let outcomes: CommitOutcome[];
    try {
      outcomes = await store.commitBatch(batch.map((waiting) => waiting.message));
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
      return;
    }
    onBatch?.(batch.length, performance.now() - startMs);
    for (const [index, { resolve, reject, origin }] of batch.entries()) {
      const outcome = outcomes[index];
      if (!outcome || outcome.status === "refused") {
        reject(new Problem("invalid-request", "The message cannot be stored"));
        continue;
      }
      if (outcome.status === "stored") onStored(outcome.message, origin);
      resolve(outcome);
    }
  }

  return {
    async commit(message, origin) {
      if (queue.length >= queueSize) throw unavailable("too many messages wait to be stored");
      let timer: NodeJS.Timeout | undefined;
      try {
        return await new Promise<Committed>((resolve, reject) => {
          const expiresAtMs = performance.now() + timeoutMs;
          timer = setTimeout(() => reject(unavailable("Postgres did not commit")), timeoutMs);
          queue.push({ message, origin, expiresAtMs, resolve, reject });
          working ??= work();
        });
      } finally {
        clearTimeout(timer);
      }
    },
    async idle() {
      await working;
    },
  };
}

function unavailable(cause: string): Problem {
  return new Problem("unavailable", undefined, { retryAfterMs: 1_000, cause });
}

import { createBackoff } from "./backoff.ts";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { epochOf } from "./epoch.ts";
import { type ConsumedEvent, openStreamConsumer, type StreamConsumer } from "./stream-consumer.ts";
import { readFromLeader, readStreamInfo } from "./stream-reads.ts";

export interface LogPage {
  /** In order, of all subjects; empty when none came in time. */
  readonly events: ConsumedEvent[];
  /** Nothing was stored behind these when they were fetched. */
  readonly atEnd: boolean;
  /** Of the newest event that was ever stored, as far as it is known; exact with `atEnd`. */
  readonly endSequence: number;
}

/** A whole stream, read from a position on. */
export interface LogReader {
  /**
   * The next events, waiting up to `maxWaitMs` for the first. None is passed over: what is missing between two sequences
   * has expired or was deleted. After an error the next call goes on behind the last event that was returned.
   *
   * @throws {BusUnavailableError} while NATS is away.
   * @throws {LogReplacedError} when the stream is no longer the one that was opened.
   */
  next(maxWaitMs: number): Promise<LogPage>;
  close(): void;
}

/** The stream was made anew, or ends before the position: what was read is of another history. */
export class LogReplacedError extends Error {
  override readonly name = "LogReplacedError";
}

/**
 * Opens a reader behind `afterSequence`; `next` returns up to `batch` events. It holds an ephemeral consumer, and makes
 * another by itself when that one is lost.
 */
export function openLogReader(
  bus: Bus,
  stream: string,
  options: { readonly afterSequence: number; readonly batch: number },
): LogReader {
  let position = options.afterSequence;
  let endSequence = position;
  let epoch: string | null = null;
  let consumer: StreamConsumer | null = null;
  let backoff = createBackoff(50, 1_000);

  /** The newest sequence, from the leader. */
  async function readEnd(): Promise<number> {
    const info = await readStreamInfo(bus, stream);
    const found = epochOf(info.config.description);
    epoch ??= found;
    if (found !== epoch) throw new LogReplacedError(`${stream} was made anew`);
    if (info.state.last_seq < position) {
      throw new LogReplacedError(`${stream} ends at ${info.state.last_seq}, before ${position}`);
    }
    return info.state.last_seq;
  }

  function drop(): void {
    consumer?.close();
    consumer = null;
  }

  /** Nothing has come: because there is nothing, or because the consumer does not bring it. */
  async function emptyPage(): Promise<LogPage> {
    endSequence = await readEnd();
    if (endSequence > position) {
      const next = await readFromLeader(bus, stream, { seq: position + 1, next_by_subj: ">" });
      if (next) {
        drop();
        return { events: [], atEnd: false, endSequence };
      }
      position = endSequence;
    }
    return { events: [], atEnd: true, endSequence };
  }

  return {
    async next(maxWaitMs) {
      try {
        if (!consumer) {
          endSequence = await readEnd();
          consumer = await openStreamConsumer(bus, stream, { afterSequence: position });
        }
        const { events, pendingCount } = await consumer.next(options.batch, maxWaitMs);
        backoff = createBackoff(50, 1_000);
        const last = events.at(-1);
        if (!last) return await emptyPage();
        position = last.sequence;
        endSequence = Math.max(endSequence, position + pendingCount);
        const atEnd = pendingCount === 0;
        return { events, atEnd, endSequence: atEnd ? position : endSequence };
      } catch (error) {
        drop();
        // Whoever calls again at once must not spin while NATS is away.
        if (error instanceof BusUnavailableError) await backoff.wait();
        throw error;
      }
    },
    close: drop,
  };
}

import { createBackoff } from "./backoff.ts";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { readBounds } from "./log-bounds.ts";
import { LOG_START, type LogPosition, positionOf } from "./log-position.ts";
import { type ConsumedEvent, openStreamConsumer, type StreamConsumer } from "./stream-consumer.ts";
import { readFromLeader } from "./stream-reads.ts";

export interface LogPage {
  /** In order; empty when none came in time. */
  readonly events: ConsumedEvent[];
  /** Nothing was stored behind these when they were fetched. */
  readonly atEnd: boolean;
  /** Of the newest event that was ever stored, as far as it is known; exact with `atEnd`. */
  readonly endSequence: number;
}

/** A whole stream, or one subject of it, read from a position on. */
export interface LogReader {
  /**
   * The next events, up to `batch`, waiting up to `maxWaitMs` for the first. None is passed over: what is missing between
   * two sequences has expired, was deleted, or is of another subject. After an error the next call goes on behind the last
   * event that was returned.
   *
   * @throws {BusUnavailableError} while NATS is away.
   * @throws {LogReplacedError} when the stream is no longer the one that was opened.
   */
  next(maxWaitMs: number, batch?: number): Promise<LogPage>;
  /** How many events there are behind the position. @throws as `next` */
  countPending(): Promise<number>;
  close(): void;
}

export interface LogReaderOptions {
  /** Where it begins: a sequence, or a position, which is proven to be one of the log whenever reading begins anew. */
  readonly afterSequence?: number;
  readonly after?: LogPosition;
  /** The log that is meant: another one is an error. The first one that is met, without it. */
  readonly epoch?: string;
  readonly subject?: string;
  readonly batch: number;
}

/** The stream was made anew, ends before the position, or holds something else there: what was read is of another history. */
export class LogReplacedError extends BusUnavailableError {}

/** Opens a reader. It holds an ephemeral consumer, and makes another by itself when that one is lost. */
export function openLogReader(bus: Bus, stream: string, options: LogReaderOptions): LogReader {
  const { subject } = options;
  let position = options.after?.sequence ?? options.afterSequence ?? 0;
  /** The newest position whose mark is known. */
  let proof: LogPosition = options.after ?? LOG_START;
  let endSequence = position;
  let epoch = options.epoch ?? null;
  let consumer: StreamConsumer | null = null;
  let backoff = createBackoff(50, 1_000);

  /** From the leader. */
  async function readEnd(): Promise<void> {
    const bounds = await readBounds(bus, stream);
    epoch ??= bounds.epoch;
    if (bounds.epoch !== epoch) throw new LogReplacedError(`${stream} was made anew`);
    endSequence = bounds.lastSequence;
    if (endSequence < position) {
      throw new LogReplacedError(`${stream} ends at ${endSequence}, before ${position}`);
    }
  }

  /** A consumer is lost with its stream, which may have been restored from a backup. */
  async function open(): Promise<StreamConsumer> {
    await readEnd();
    const opened = await openStreamConsumer(bus, stream, {
      afterSequence: position,
      ...(subject === undefined ? {} : { subject }),
    });
    consumer = opened;
    if (proof.mark !== null) {
      const event = await readFromLeader(bus, stream, { seq: proof.sequence });
      if (event && event.messageId !== proof.mark) {
        throw new LogReplacedError(`${stream} holds another event at ${proof.sequence}`);
      }
    }
    return opened;
  }

  function drop(): void {
    consumer?.close();
    consumer = null;
  }

  /** Nothing has come: because there is nothing, or because the consumer does not bring it. */
  async function emptyPage(): Promise<LogPage> {
    await readEnd();
    if (endSequence > position) {
      const query = { seq: position + 1, next_by_subj: subject ?? ">" };
      if (await readFromLeader(bus, stream, query)) {
        drop();
        return { events: [], atEnd: false, endSequence };
      }
      position = endSequence;
    }
    return { events: [], atEnd: true, endSequence };
  }

  async function guarded<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      drop();
      throw error;
    }
  }

  return {
    async next(maxWaitMs, batch = options.batch) {
      try {
        return await guarded(async () => {
          consumer ??= await open();
          const { events: brought, pendingCount } = await consumer.next(batch, maxWaitMs);
          backoff = createBackoff(50, 1_000);
          if (brought.length === 0) return await emptyPage();
          // A consumer on a node that lags behind the position begins where that node ends.
          const events = brought.filter(({ sequence }) => sequence > position);
          const last = events.at(-1);
          if (!last) return { events, atEnd: false, endSequence };
          position = last.sequence;
          proof = positionOf(last);
          endSequence = Math.max(endSequence, position + pendingCount);
          const atEnd = pendingCount === 0;
          return { events, atEnd, endSequence: atEnd ? position : endSequence };
        });
      } catch (error) {
        // A caller that asks again at once must not spin while NATS is away.
        const isAway = error instanceof BusUnavailableError && !(error instanceof LogReplacedError);
        if (isAway) await backoff.wait();
        throw error;
      }
    },
    countPending: () =>
      guarded(async () => {
        consumer ??= await open();
        return consumer.pendingCount;
      }),
    close: drop,
  };
}

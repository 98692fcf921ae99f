import { createBackoff } from "./backoff.ts";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { internalsOf } from "./internals.ts";
import { type LogBounds, readBounds } from "./log-bounds.ts";
import { LOG_START, type LogPosition, positionOf } from "./log-position.ts";
import { readLast } from "./read-last.ts";
import { type PageRange, readPages } from "./read-pages.ts";
import { createSharedPages } from "./shared-pages.ts";
import { readFromLeader, readStreamInfo, type StoredEvent } from "./stream-reads.ts";

export type { StoredEvent } from "./stream-reads.ts";

/** Where a log ends. */
export interface LogEnd extends LogBounds {
  readonly position: LogPosition;
}

export interface LogFill {
  readonly bytes: number;
  /** Past this new events are refused. */
  readonly maxBytes: number;
  /** 0 when there is none. */
  readonly oldestAgeSeconds: number;
}

/** One stream, read subject by subject. All methods throw `BusUnavailableError`. */
export interface SubjectLog {
  readonly stream: string;
  /** The newest event of a subject. From the leader. */
  head(subject: string): Promise<StoredEvent | null>;
  /** From the leader. */
  bounds(): Promise<LogBounds>;
  /** The event at a sequence, of any subject; `null` when it is gone or not there yet. From the leader. */
  eventAt(sequence: number): Promise<StoredEvent | null>;
  /** From the leader. */
  end(): Promise<LogEnd>;
  /** How full it is. From the leader. */
  fill(): Promise<LogFill>;
  /** A subject's events in pages; see `readPages`. */
  pages(range: PageRange): AsyncGenerator<readonly StoredEvent[]>;
  /** The newest `count` events of a subject up to a sequence, or all that are kept when those are fewer. */
  last(subject: string, count: number, untilSequence: number): Promise<readonly StoredEvent[]>;
  /** The log has turned out to be another: nothing that was read of it before is handed out again. */
  forget(): void;
}

/** A log is not replaced many times in a moment. */
const END_READS = 3;

/**
 * Opens a log, waiting for ever for its stream to exist.
 *
 * @param bulk a connection for what is long, so that live events need not wait behind it; `bus` without it.
 */
export async function openSubjectLog(
  bus: Bus,
  stream: string,
  bulk: Bus = bus,
): Promise<SubjectLog> {
  const shared = createSharedPages();
  bulk.onReconnect(() => shared.clear());

  /** `null` when the answers are not of one log: it has just been replaced. */
  async function readEnd(): Promise<LogEnd | null> {
    const [bounds, newest] = await Promise.all([
      log.bounds(),
      readFromLeader(bus, stream, { last_by_subj: ">" }),
    ]);
    const { lastSequence: sequence } = bounds;
    if (sequence === 0) return { ...bounds, position: LOG_START };
    // Something came in between, or the newest was deleted.
    const event = newest?.sequence === sequence ? newest : await log.eventAt(sequence);
    if (event) return { ...bounds, position: positionOf(event) };
    const later = await log.bounds();
    const isGoneFromIt = sequence < later.firstSequence || later.deleted.includes(sequence);
    if (later.epoch !== bounds.epoch || !isGoneFromIt) return null;
    return { ...bounds, position: { sequence, mark: null } };
  }

  const log: SubjectLog = {
    stream,
    head: (subject) => readFromLeader(bus, stream, { last_by_subj: subject }),
    bounds: () => readBounds(bus, stream),
    eventAt: (sequence) => readFromLeader(bus, stream, { seq: sequence }),
    async end() {
      for (let attempt = 1; attempt <= END_READS; attempt++) {
        const end = await readEnd();
        if (end) return end;
      }
      throw new BusUnavailableError(`${stream} changes while its end is read`);
    },
    async fill() {
      const { config, state } = await readStreamInfo(bus, stream);
      const ageMs = state.messages === 0 ? 0 : Date.now() - Date.parse(String(state.first_ts));
      return {
        bytes: state.bytes,
        maxBytes: config.max_bytes,
        oldestAgeSeconds: Math.max(0, ageMs / 1_000),
      };
    },
    pages: (range) => readPages(bulk, stream, shared, range),
    last: (subject, count, untilSequence) =>
      readLast(bulk, stream, { subject, count, untilSequence }),
    forget: () => shared.clear(),
  };

  const backoff = createBackoff(250, 2_000);
  for (let attempt = 1; ; attempt++) {
    try {
      await log.bounds();
      return log;
    } catch (error) {
      if (!(error instanceof BusUnavailableError)) throw error;
      if (attempt === 1)
        internalsOf(bus).logger.warn({ err: error, stream }, "waiting for a stream");
      await backoff.wait();
    }
  }
}

import { hash } from "node:crypto";
import { encodeEventId, NO_CHECK } from "@localstreet/contracts/event-id";
import { createBackoff } from "./backoff.ts";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { epochOf } from "./epoch.ts";
import { internalsOf } from "./internals.ts";
import { readLast } from "./read-last.ts";
import { type PageRange, readPages } from "./read-pages.ts";
import { createSharedPages } from "./shared-pages.ts";
import { readFromLeader, readStreamInfo, type StoredEvent } from "./stream-reads.ts";

export type { StoredEvent } from "./stream-reads.ts";

/** A place in a log: right after the event at `sequence`, whoever's that event is. */
export interface LogPosition {
  readonly sequence: number;
  /** Of the event at `sequence`; `null` when there is none any more, or at 0, before the first. */
  readonly messageId: string | null;
}

export interface LogBounds {
  readonly epoch: string;
  /** Of the oldest event that is kept; `lastSequence + 1` when there is none. */
  readonly firstSequence: number;
  /** Of the newest event that was ever stored. */
  readonly lastSequence: number;
  /** How many events between the two are gone. */
  readonly deletedCount: number;
}

export interface LogFill {
  readonly bytes: number;
  /** Past this new events are refused. */
  readonly maxBytes: number;
  /** 0 when there is none. */
  readonly oldestAgeSeconds: number;
}

export interface LogEnd {
  readonly epoch: string;
  readonly position: LogPosition;
}

/** One stream, read subject by subject. All methods throw `BusUnavailableError`. */
export interface SubjectLog {
  readonly stream: string;
  /** As of the latest answer about the stream. */
  readonly epoch: string;
  /** The newest event of a subject. From the leader. */
  head(subject: string): Promise<StoredEvent | null>;
  /** From the leader. */
  bounds(): Promise<LogBounds>;
  /** The sequences above `afterSequence` whose events were deleted one by one. From the leader. */
  deletedAfter(afterSequence: number): Promise<number[]>;
  /** The event at a sequence, of any subject; `null` when it is gone or not there yet. From the leader. */
  eventAt(sequence: number): Promise<StoredEvent | null>;
  /** Where the log ends. From the leader. */
  end(): Promise<LogEnd>;
  /** How full it is. From the leader. */
  fill(): Promise<LogFill>;
  /** A subject's events in pages; see `readPages`. */
  pages(range: PageRange): AsyncIterable<readonly StoredEvent[]>;
  /** The newest `count` events of a subject up to a sequence, or all that are kept when those are fewer. */
  last(subject: string, count: number, untilSequence: number): Promise<readonly StoredEvent[]>;
  /** The event's id for clients (PROTOCOL.md S5). */
  idOf(event: StoredEvent): string;
  /** The id of a position as a reader of `subject` sees it; `idOf` is the one right after the event. */
  positionId(subject: string, position: LogPosition): string;
}

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
  let epoch = "";
  const shared = createSharedPages();
  bulk.onReconnect(() => shared.clear());

  async function info() {
    const answer = await readStreamInfo(bus, stream);
    const found = epochOf(answer.config.description);
    if (!found) throw new BusUnavailableError(`stream ${stream} has no epoch yet`);
    epoch = found;
    return { epoch: found, state: answer.state };
  }

  const log: SubjectLog = {
    stream,
    get epoch() {
      return epoch;
    },
    head: (subject) => readFromLeader(bus, stream, { last_by_subj: subject }),
    async bounds() {
      const answer = await info();
      return {
        epoch: answer.epoch,
        firstSequence: answer.state.first_seq,
        lastSequence: answer.state.last_seq,
        deletedCount: answer.state.num_deleted ?? 0,
      };
    },
    async deletedAfter(afterSequence) {
      const answer = await readStreamInfo(bus, stream, { deleted_details: true });
      return (answer.state.deleted ?? []).filter((sequence) => sequence > afterSequence);
    },
    eventAt: (sequence) => readFromLeader(bus, stream, { seq: sequence }),
    async end() {
      const [answer, newest] = await Promise.all([
        info(),
        readFromLeader(bus, stream, { last_by_subj: ">" }),
      ]);
      const sequence = answer.state.last_seq;
      let event = newest;
      // Something came in between, or the newest was deleted.
      if (sequence === 0) event = null;
      else if (newest?.sequence !== sequence) event = await log.eventAt(sequence);
      return { epoch: answer.epoch, position: { sequence, messageId: event?.messageId ?? null } };
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
    idOf: (event) => log.positionId(event.subject, event),
    positionId: (subject, { sequence, messageId }) =>
      encodeEventId({ epoch, sequence, check: checkOf(subject, messageId) }),
  };

  const backoff = createBackoff(250, 2_000);
  for (let attempt = 1; epoch === ""; attempt++) {
    try {
      await info();
    } catch (error) {
      if (!(error instanceof BusUnavailableError)) throw error;
      if (attempt === 1)
        internalsOf(bus).logger.warn({ err: error, stream }, "waiting for a stream");
      await backoff.wait();
    }
  }
  return log;
}

/**
 * Six characters that tie an id to what its log holds, and to the subject that it was given out for. An id of one
 * subject is therefore none of another's, and a log restored with other content disowns the ids of the lost one.
 */
export function checkOf(subject: string, messageId: string | null): string {
  if (messageId === null) return NO_CHECK;
  return hash("sha256", `${subject}\0${messageId}`, "base64url").slice(0, 6).replaceAll("-", "_");
}

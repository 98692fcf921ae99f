import { decideResume } from "@localstreet/bus/resume";
import type { Following } from "@localstreet/bus/subject-feed";
import type { StoredEvent, SubjectLog } from "@localstreet/bus/subject-log";
import type { ResumeStatus } from "@localstreet/contracts/vendor-events";

/** What a client asks for. */
export interface HistoryQuery {
  readonly lastEventId: string | undefined;
  /** For one who comes without an id: the newest events, as many as this. */
  readonly last: number;
}

/** What a client missed, up to where its live events begin. */
export interface History {
  readonly status: ResumeStatus;
  /** The client's id, when it is known here. */
  readonly from: string | null;
  /** All of it is in memory: reading ahead costs nothing. */
  readonly isInMemory: boolean;
  /** In order; each page is read when it is asked for. */
  readonly pages: AsyncIterator<readonly StoredEvent[]>;
}

/**
 * The verdict on a client's id (PROTOCOL.md S6, S8), and the events that follow it: from memory when they passed here
 * lately, else from the log.
 *
 * @throws {BusUnavailableError} here and from the pages.
 */
export async function openHistory(
  parts: {
    log: SubjectLog;
    subject: string;
    following: Following;
    /** For how long reading is tried on while NATS is away, in milliseconds. */
    patienceMs: number;
  },
  query: HistoryQuery,
): Promise<History> {
  const { log, subject, following, patienceMs } = parts;
  const { lastEventId, last } = query;
  const untilSequence = following.head?.sequence ?? 0;
  if (!lastEventId) {
    const events = following.last(last) ?? (await log.last(subject, last, untilSequence));
    return { status: "fresh", from: null, isInMemory: true, pages: once(events) };
  }
  const recent = following.resume(lastEventId);
  if (recent) {
    const from = recent.status === "complete" ? lastEventId : null;
    return { status: recent.status, from, isInMemory: true, pages: once(recent.events) };
  }
  const { status, afterSequence } = await decideResume(log, subject, lastEventId, following.head);
  const isWhole = status === "complete";
  const pages = log.pages({ subject, afterSequence, untilSequence, isWhole, patienceMs });
  return {
    status,
    from: status === "reset" ? null : lastEventId,
    isInMemory: false,
    pages: pages[Symbol.asyncIterator](),
  };
}

async function* once(events: readonly StoredEvent[]): AsyncGenerator<readonly StoredEvent[]> {
  if (events.length > 0) yield events;
}

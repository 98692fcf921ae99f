import { decideResume } from "@localstreet/bus/resume";
import type { Following } from "@localstreet/bus/subject-feed";
import type { StoredEvent, SubjectLog } from "@localstreet/bus/subject-log";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import type { ResumeEvent, ResumeStatus } from "@localstreet/contracts/vendor-events";
import type { SseConnection } from "@localstreet/fanout/sse-connection";
import type { VendorFrames } from "./vendor-frames.ts";

/** Events that are read ahead, so that `resume` can tell how many follow, and written at once. */
const PAGE_EVENTS = 256;

/**
 * Tells the client where it stands, sends what it missed, and lets the live events follow (PROTOCOL.md S6, S8). The
 * connection is held meanwhile; history goes out at the pace of its socket, a page at a time.
 *
 * @returns the verdict that was told.
 * @throws {BusUnavailableError}
 */
export async function replayAndRelease(options: {
  connection: SseConnection;
  log: SubjectLog;
  frames: VendorFrames;
  subject: string;
  following: Following;
  lastEventId: string | undefined;
}): Promise<ResumeStatus> {
  const { connection, log, frames, subject, following, lastEventId } = options;
  const to = following.positionId();
  const { status, afterSequence } = await decideResume(log, subject, lastEventId, following.head);
  const events = log.readAfter(subject, afterSequence, following.head?.sequence ?? 0);
  const iterator = events[Symbol.asyncIterator]();

  let page = await nextPage(iterator);
  const isWhole = page.length < PAGE_EVENTS;
  const from = status === "complete" || status === "gap" ? (lastEventId ?? null) : null;
  const resume: ResumeEvent = { status, from, to, replayed: isWhole ? page.length : null };
  // A connection that breaks during the replay resumes where it was, not behind what it has not got.
  const id = page.length > 0 && from !== null ? from : to;
  const told = await connection.writeHistory(
    Buffer.from(encodeSseEvent({ id, event: "resume", data: JSON.stringify(resume) })),
  );
  let isOpen = told;
  while (isOpen && page.length > 0) {
    const chunk = page.flatMap((event) => frames.frameOf(event) ?? []);
    isOpen = await connection.writeHistory(Buffer.concat(chunk));
    page = await nextPage(iterator);
  }
  connection.release();
  return status;
}

async function nextPage(iterator: AsyncIterator<StoredEvent>): Promise<StoredEvent[]> {
  const page: StoredEvent[] = [];
  while (page.length < PAGE_EVENTS) {
    const { done, value } = await iterator.next();
    if (done) break;
    page.push(value);
  }
  return page;
}

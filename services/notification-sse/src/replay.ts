import { decideResume } from "@localstreet/bus/resume";
import type { Following } from "@localstreet/bus/subject-feed";
import type { StoredEvent, SubjectLog } from "@localstreet/bus/subject-log";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import type { ResumeEvent, ResumeStatus } from "@localstreet/contracts/vendor-events";
import type { SseConnection } from "@localstreet/fanout/sse-connection";
import type { VendorFrames } from "./vendor-frames.ts";

/** Frames that are read ahead, so that `resume` can tell how many follow. */
const PAGE_FRAMES = 256;
/**
 * History goes to the socket in pieces of about this size: far less than an outbox may hold, or live events that come
 * meanwhile would make it too much.
 */
const PIECE_BYTES = 32 * 1024;

/**
 * Tells the client where it stands, sends what it missed, and lets the live events follow (PROTOCOL.md S6, S8). The
 * connection is held meanwhile; history goes out at the pace of its socket.
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

  let page = await nextPage(iterator, frames);
  const isWhole = page.length < PAGE_FRAMES;
  const from = status === "complete" || status === "gap" ? (lastEventId ?? null) : null;
  const resume: ResumeEvent = { status, from, to, replayed: isWhole ? page.length : null };
  // A connection that breaks during the replay resumes where it was, not behind what it has not got.
  const id = page.length > 0 && from !== null ? from : to;
  const told = await connection.writeHistory(
    Buffer.from(encodeSseEvent({ id, event: "resume", data: JSON.stringify(resume) })),
  );
  let isOpen = told;
  while (isOpen && page.length > 0) {
    isOpen = await writePage(connection, page);
    page = isOpen ? await nextPage(iterator, frames) : [];
  }
  connection.release();
  return status;
}

/** @returns `false` when the connection is closed. */
async function writePage(connection: SseConnection, page: readonly Buffer[]): Promise<boolean> {
  let piece: Buffer[] = [];
  let pieceBytes = 0;
  for (const frame of page) {
    piece.push(frame);
    pieceBytes += frame.length;
    if (pieceBytes < PIECE_BYTES) continue;
    if (!(await connection.writeHistory(Buffer.concat(piece)))) return false;
    piece = [];
    pieceBytes = 0;
  }
  return await connection.writeHistory(Buffer.concat(piece));
}

async function nextPage(
  iterator: AsyncIterator<StoredEvent>,
  frames: VendorFrames,
): Promise<Buffer[]> {
  const page: Buffer[] = [];
  while (page.length < PAGE_FRAMES) {
    const { done, value } = await iterator.next();
    if (done) break;
    const frame = frames.frameOf(value);
    if (frame) page.push(frame);
  }
  return page;
}

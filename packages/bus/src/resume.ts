import { parseEventId } from "@localstreet/contracts/event-id";
import type { ResumeStatus } from "@localstreet/contracts/vendor-events";
import { checkOf, type StoredEvent, type SubjectLog } from "./subject-log.ts";

export interface ResumeDecision {
  readonly status: ResumeStatus;
  /** Replay the subject's events after this sequence, up to the head. */
  readonly afterSequence: number;
}

/**
 * What a client that comes with `lastEventId` is told (PROTOCOL.md S6, S8).
 *
 * An id is a position: epoch, a sequence of the stream, and a check of the subject and of the event stored there. That
 * event need not be of this subject: a quiet vendor's id is advanced to the end of the stream by tail checks. So an id
 * can be verified as long as the event at its sequence is kept.
 *
 * - `reset`: malformed, of another epoch, beyond the stream's end, or its check contradicts the event stored there
 *   (another vendor's id, or a log restored with other content).
 * - `gap`: an event after the position is gone (expired, purged or deleted) and may have been of this subject.
 * - `complete`: every event that was stored after the position, of any subject, is still kept, so none of this one's is
 *   missing. When the event at the position itself has expired the id cannot be verified, and need not be: the log then
 *   begins right after it.
 *
 * Events expire in order, so what is gone lies below the first sequence; what an operator deleted one by one the leader
 * lists. The head must be read before, and from the leader.
 *
 * The event that carries the verdict must not carry `to` as its id before the replay is out: a connection lost in
 * between would skip it.
 *
 * @throws {BusUnavailableError}
 */
export async function decideResume(
  log: SubjectLog,
  subject: string,
  lastEventId: string | null | undefined,
  head: StoredEvent | null,
): Promise<ResumeDecision> {
  const headSequence = head?.sequence ?? 0;
  if (!lastEventId) return { status: "fresh", afterSequence: headSequence };
  const reset: ResumeDecision = { status: "reset", afterSequence: headSequence };

  const from = parseEventId(lastEventId);
  if (!from) return reset;
  const bounds = await log.bounds();
  if (from.epoch !== bounds.epoch || from.sequence > bounds.lastSequence) return reset;

  const event = from.sequence === 0 ? null : await log.eventAt(from.sequence);
  const kept = event !== null || from.sequence === 0;
  if (kept && from.check !== checkOf(subject, event?.messageId ?? null)) return reset;

  const missing =
    bounds.firstSequence > from.sequence + 1 ||
    (bounds.deletedCount > 0 && (await log.deletedAfter(from.sequence)).length > 0);
  return { status: missing ? "gap" : "complete", afterSequence: from.sequence };
}

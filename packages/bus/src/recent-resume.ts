import { parseEventId } from "@localstreet/contracts/event-id";
import type { FollowedSubject } from "./followed-subject.ts";
import type { LogEnds } from "./log-ends.ts";
import { checkOf, type StoredEvent, type SubjectLog } from "./subject-log.ts";

/** As `decideResume`, with the events up to the head. */
export interface RecentResume {
  readonly status: "complete" | "reset";
  readonly events: readonly StoredEvent[];
}

const RESET: RecentResume = { status: "reset", events: [] };

/**
 * The verdict on an id from what has passed here, which is as true as the log's: everything behind the id's position has
 * been seen, and what is stored at the position is known. `null` when either is not so.
 */
export function resumeFromRecent(options: {
  log: SubjectLog;
  ends: LogEnds;
  followed: FollowedSubject;
  headSequence: number;
  lastEventId: string;
}): RecentResume | null {
  const { log, ends, followed, headSequence, lastEventId } = options;
  const { recent, throughSequence, subject } = followed;
  if (followed.isStopped) return null;
  const from = parseEventId(lastEventId);
  if (!from || from.epoch !== log.epoch) return RESET;
  const { sequence, check } = from;
  const isSeen =
    recent.reachesBackTo(sequence) &&
    sequence <= throughSequence &&
    headSequence <= throughSequence;
  if (!isSeen) return null;
  const messageId = recent.messageIdAt(sequence) ?? ends.messageIdAt(sequence);
  if (messageId === undefined && sequence > 0) return null;
  if (check !== checkOf(subject, messageId ?? null)) return RESET;
  return { status: "complete", events: recent.between(sequence, headSequence) };
}

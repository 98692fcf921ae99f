import { shareCalls } from "./shared-call.ts";
import type { LogEnd, SubjectLog } from "./subject-log.ts";

export interface LogEnds {
  /** The log's end from the leader, and a check that it is still the log that was read before. Callers share reads. */
  read(): Promise<LogEnd>;
  /** An event at this sequence was seen: the end cannot be before it. */
  note(sequence: number): void;
  /** `Nats-Msg-Id` at a sequence where the log has ended lately. */
  messageIdAt(sequence: number): string | undefined;
}

/** Ids that quiet streams were given lately name one of these. */
const ENDS_KEPT = 1_024;

/**
 * Where a log ends, and whether it is still the same one: `onReplaced` is called when it was created anew, ends before
 * what was seen, or holds something else where it ended last time.
 */
export function createLogEnds(log: SubjectLog, onReplaced: () => void): LogEnds {
  const known = new Map<number, string>();
  let latest: LogEnd | null = null;
  let epoch = log.epoch;
  let highestSequence = 0;

  async function read(): Promise<LogEnd> {
    const before = latest;
    const atLeast = highestSequence;
    const [end, kept] = await Promise.all([
      log.end(),
      before?.position.messageId ? log.eventAt(before.position.sequence) : null,
    ]);
    const isOther =
      end.epoch !== epoch ||
      end.position.sequence < atLeast ||
      (kept !== null && kept.messageId !== before?.position.messageId);
    if (isOther) {
      epoch = end.epoch;
      known.clear();
      highestSequence = 0;
      onReplaced();
    }
    latest = end;
    note(end.position.sequence);
    const { sequence, messageId } = end.position;
    if (messageId !== null && !known.has(sequence)) {
      known.set(sequence, messageId);
      for (const oldest of known.keys()) {
        if (known.size <= ENDS_KEPT) break;
        known.delete(oldest);
      }
    }
    return end;
  }

  function note(sequence: number): void {
    highestSequence = Math.max(highestSequence, sequence);
  }

  return { read: shareCalls(read), note, messageIdAt: (sequence) => known.get(sequence) };
}

import type { LogBounds } from "./log-bounds.ts";
import { LOG_START, type LogPosition } from "./log-position.ts";
import { shareCalls } from "./shared-call.ts";
import type { LogEnd, SubjectLog } from "./subject-log.ts";

export interface LogWatch {
  /**
   * The log's end from the leader, and a proof that it is still the log that was read before; where it is not,
   * `onReplaced` is called, and the end is a new beginning. Callers share reads.
   */
  read(): Promise<LogEnd>;
  /** Callers share reads. */
  bounds(): Promise<LogBounds>;
  /** The mark of a position where the log has ended lately. */
  markAt(sequence: number): string | null;
}

/** Ids that quiet streams were given lately name one of these. */
const ENDS_KEPT = 1_024;

/**
 * Watches whether a log is still the same one. A log that holds the event where it ended last time holds, up to that
 * event, what it held then: so one read proves the positions of all subjects. Where that event is gone nothing is proven;
 * a subject that is followed sees by the log's bounds that events are gone. Live copies prove nothing: they may be of a
 * log that has just taken this one's place.
 */
export function watchLog(log: SubjectLog, onReplaced: () => void): LogWatch {
  const ends = new Map<number, string>();
  let epoch: string | null = null;
  let known = LOG_START;

  async function isReplaced(end: LogEnd, before: LogPosition): Promise<boolean> {
    if (epoch !== null && end.epoch !== epoch) return true;
    const { sequence, mark } = before;
    if (end.lastSequence < sequence) return true;
    if (mark === null) return false;
    // Read after the end, so that what was read until then lies in one history.
    const found =
      end.position.sequence === sequence
        ? end.position.mark
        : ((await log.eventAt(sequence))?.messageId ?? null);
    return found !== null && found !== mark;
  }

  async function read(): Promise<LogEnd> {
    const before = known;
    const end = await log.end();
    if (await isReplaced(end, before)) {
      ends.clear();
      known = LOG_START;
      onReplaced();
    }
    epoch = end.epoch;
    const { sequence, mark } = end.position;
    if (mark !== null && sequence > known.sequence) known = end.position;
    if (mark !== null && !ends.has(sequence)) {
      ends.set(sequence, mark);
      for (const oldest of ends.keys()) {
        if (ends.size <= ENDS_KEPT) break;
        ends.delete(oldest);
      }
    }
    return end;
  }

  return {
    read: shareCalls(read),
    bounds: shareCalls(() => log.bounds()),
    markAt: (sequence) => ends.get(sequence) ?? null,
  };
}

import { parseEventId } from "@localstreet/contracts/event-id";
import { isGone } from "./log-bounds.ts";
import { checkOf, type LogPosition } from "./log-position.ts";
import type { SubjectLog } from "./subject-log.ts";

/** What is known of a log's history: by the log itself, or by a memory of what has passed. */
export interface HistoryView {
  readonly epoch: string;
  /** Where the history ends, as far as it is known here. */
  readonly lastSequence: number;
  /** Every event of the subject that was ever stored behind this sequence is still there. */
  readonly wholeAfter: number;
  /** The `Nats-Msg-Id` at a sequence; `gone` where the log no longer has it, `null` where it is not known here. */
  markAt(sequence: number): string | "gone" | null;
}

/**
 * - `complete`: the id is one of this history, and every event after it is there.
 * - `gap`: events after it are gone, and some may have been of this subject.
 * - `reset`: the id belongs to no history known here.
 * - `unknown`: what would tell is not known here.
 */
export type Verdict = "complete" | "gap" | "reset" | "unknown";

/**
 * What a client is told that comes with an id (PROTOCOL.md S6, S8).
 *
 * An id is a position: epoch, sequence, and a check of the subject and of the event that is stored there. That event need
 * not be of this subject: a quiet vendor's id is advanced to the end of the log by tail checks. The check tells a log that
 * was restored from a backup, and gives the same sequences to other events. Where the event is gone there is nothing to
 * compare, and nothing to miss but what came after it.
 */
export function judge(subject: string, id: string, view: HistoryView): Verdict {
  const from = parseEventId(id);
  if (!from || from.epoch !== view.epoch || from.sequence > view.lastSequence) return "reset";
  // Every history begins at 0.
  const mark = from.sequence === 0 ? null : view.markAt(from.sequence);
  if (from.sequence > 0 && mark === null) return "unknown";
  if (mark !== "gone" && from.check !== checkOf(subject, mark)) return "reset";
  return view.wholeAfter > from.sequence ? "gap" : "complete";
}

/** Where an id stands; 0 for one that is none. */
export function sequenceOf(id: string): number {
  return parseEventId(id)?.sequence ?? 0;
}

export interface LogVerdict {
  readonly status: Exclude<Verdict, "unknown">;
  /** Of the log that was asked. */
  readonly epoch: string;
  /** Where the id stands. */
  readonly position: LogPosition;
}

/**
 * The log's own verdict.
 *
 * @throws {BusUnavailableError}
 */
export async function judgeByLog(
  log: SubjectLog,
  subject: string,
  id: string,
): Promise<LogVerdict> {
  const sequence = sequenceOf(id);
  const bounds = await log.bounds();
  const isPast = sequence > 0 && sequence <= bounds.lastSequence;
  const mark = isPast ? ((await log.eventAt(sequence))?.messageId ?? null) : null;
  const verdict = judge(subject, id, {
    ...bounds,
    wholeAfter: isGone(bounds, sequence) ? bounds.lastSequence : sequence,
    markAt: () => mark ?? "gone",
  });
  if (verdict === "unknown") throw new Error("the log always tells");
  return { status: verdict, epoch: bounds.epoch, position: { sequence, mark } };
}

import { hash } from "node:crypto";
import { encodeEventId, NO_CHECK } from "@localstreet/contracts/event-id";
import type { StoredEvent } from "./stream-reads.ts";

/** A place in a log: right after what is stored at `sequence`, an event of any subject. */
export interface LogPosition {
  readonly sequence: number;
  /**
   * The `Nats-Msg-Id` of that event, by which a log is told from another one with the same sequences. `null` before the
   * first event, and where the event is gone or not known.
   */
  readonly mark: string | null;
}

export const LOG_START: LogPosition = { sequence: 0, mark: null };

/**
 * Six characters that tie an id to what its log holds, and to the subject that it was given out for. An id of one
 * subject is therefore none of another's, and a log restored with other content disowns the ids of the lost one.
 */
export function checkOf(subject: string, mark: string | null): string {
  if (mark === null) return NO_CHECK;
  return hash("sha256", `${subject}\0${mark}`, "base64url").slice(0, 6).replaceAll("-", "_");
}

/** The id of a position as a reader of `subject` sees it (PROTOCOL.md S5). `epoch` is that of the log it was read in. */
export function positionId(epoch: string, subject: string, position: LogPosition): string {
  const { sequence, mark } = position;
  return encodeEventId({ epoch, sequence, check: checkOf(subject, mark) });
}

/** The position right after an event. */
export function positionOf({ sequence, messageId }: StoredEvent): LogPosition {
  return { sequence, mark: messageId };
}

/** The event's id for clients: that of the position right after it. */
export function eventId(epoch: string, event: StoredEvent): string {
  return positionId(epoch, event.subject, positionOf(event));
}

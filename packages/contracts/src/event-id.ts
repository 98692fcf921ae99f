/**
 * The id of a vendor event, `<epoch>-<seq>-<check>` (PROTOCOL.md S5). Opaque to clients. `epoch` names one life of the
 * log, `seq` is a sequence of the stream, `check` is six characters of a hash of the vendor's subject and of the
 * `Nats-Msg-Id` stored at that sequence: a log restored from a backup hands out the same sequences again, for other
 * events. A position that no event of the vendor stands at has an id of the same form.
 */
export interface EventId {
  readonly epoch: string;
  readonly sequence: number;
  readonly check: string;
}

const EVENT_ID = /^([a-z0-9]{8})-(0|[1-9][0-9]{0,15})-([A-Za-z0-9_]{6})$/;

/** The check of a position before the first event: there is no message to hash. */
export const NO_CHECK = "000000";

/**
 * The id of a client that has followed a log which turned out to be another: it belongs to no history, so it is answered
 * with `reset` (PROTOCOL.md S8), where the id of an event that came last might be found to be true by accident.
 */
export const REPLACED_ID = "replaced";

export function encodeEventId(eventId: EventId): string {
  return `${eventId.epoch}-${eventId.sequence}-${eventId.check}`;
}

/** @returns `null` for anything that this platform never issued. */
export function parseEventId(text: string): EventId | null {
  const match = EVENT_ID.exec(text);
  if (!match) return null;
  const sequence = Number(match[2]);
  if (!Number.isSafeInteger(sequence)) return null;
  return { epoch: match[1] as string, sequence, check: match[3] as string };
}

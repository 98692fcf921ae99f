import { type ApiError, JetStreamApiError } from "@nats-io/jetstream";
import { BusUnavailableError, toBusError } from "./bus-error.ts";
import type { Bus } from "./connection.ts";
import { internalsOf } from "./internals.ts";
import { encodeHeaders } from "./message-headers.ts";

/** What JetStream says of a message that it has stored. */
export interface PublishAck {
  /** Of the message that is stored; of the one before it when this one is a duplicate. */
  readonly sequence: number;
  readonly isDuplicate: boolean;
}

/**
 * Publishes to a stream; the message is stored when this returns.
 *
 * @throws {BusUnavailableError} when it is not known to be stored: NATS away, the log full, too many under way. Another
 * error of the server is a `JetStreamApiError`.
 */
export async function publishToStream(
  bus: Bus,
  subject: string,
  body: Uint8Array | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<PublishAck> {
  const { requests } = internalsOf(bus);
  const reply = await requests.ask("publish", subject, body, encodeHeaders(headers));
  const ack = parseAnswer<{ seq?: number; duplicate?: boolean }>(subject, reply.data);
  // A duplicate of one that the cluster has not stored yet.
  if (!ack.seq) throw new BusUnavailableError(`${subject}: still being stored`);
  return { sequence: ack.seq, isDuplicate: ack.duplicate === true };
}

const WRONG_LAST_SEQUENCE = 10_071;

/** Makes a publish depend on the newest message of its subject, the one at `lastSequence`, 0 for none. */
export function ifLastHeaders(lastSequence: number): Readonly<Record<string, string>> {
  return { "Nats-Expected-Last-Subject-Sequence": String(lastSequence) };
}

/** Whether a publish was refused since another message has come to its subject. */
export function isNotLast(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE;
}

/**
 * Publishes to a stream if its newest message of the subject is still the one at `lastSequence`, 0 for none.
 *
 * @returns the message's sequence, or `null` when somebody else wrote in between.
 * @throws {BusUnavailableError} when it is not known to be stored.
 */
export async function publishIfLast(
  bus: Bus,
  subject: string,
  body: string,
  lastSequence: number,
): Promise<number | null> {
  try {
    return (await publishToStream(bus, subject, body, ifLastHeaders(lastSequence))).sequence;
  } catch (error) {
    if (isNotLast(error)) return null;
    throw error;
  }
}

/** Asks the JetStream API. @throws {BusUnavailableError}, or the server's `JetStreamApiError`. */
export async function askJetStream<T>(bus: Bus, path: string, body: object = {}): Promise<T> {
  const subject = `$JS.API.${path}`;
  const reply = await internalsOf(bus).requests.ask("read", subject, JSON.stringify(body));
  return parseAnswer<T>(subject, reply.data);
}

function parseAnswer<T>(subject: string, data: Uint8Array): T {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
  const answer = JSON.parse(text) as T & { error?: ApiError };
  if (answer.error) throw toBusError(subject, new JetStreamApiError(answer.error));
  return answer;
}

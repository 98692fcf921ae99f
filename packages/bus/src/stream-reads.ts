import { EVENT_KIND_HEADER, vendorEventKindOf } from "@localstreet/contracts/vendor-events";
import { JetStreamApiError, type StreamInfo } from "@nats-io/jetstream";
import { BusUnavailableError } from "./bus-error.ts";
import type { Bus } from "./connection.ts";
import { internalsOf } from "./internals.ts";
import { askJetStream } from "./jetstream-requests.ts";
import { headerIn, statusIn } from "./message-headers.ts";

/** An event as the log holds it. */
export interface StoredEvent {
  /** The subject it was stored under, not the live one. */
  readonly subject: string;
  readonly sequence: number;
  /** `Nats-Msg-Id`; empty when the publisher gave none. */
  readonly messageId: string;
  /** The kind of vendor event; `null` for something that this platform did not write. */
  readonly kind: string | null;
  /** As published: whoever shows it decides what a foreign payload is worth. */
  readonly data: Uint8Array;
}

export type ReadQuery =
  | { readonly seq: number }
  | { readonly last_by_subj: string }
  | { readonly seq: number; readonly next_by_subj: string };

/** Answered by the stream's leader, so it is never stale. */
export function readStreamInfo(
  bus: Bus,
  stream: string,
  query: { readonly deleted_details?: boolean; readonly subjects_filter?: string } = {},
): Promise<StreamInfo> {
  return askJetStream(bus, `STREAM.INFO.${stream}`, query);
}

/** Answered by the stream's leader, so it is never stale. */
export async function readFromLeader(
  bus: Bus,
  stream: string,
  query: ReadQuery,
): Promise<StoredEvent | null> {
  try {
    const { message } = await askJetStream<{
      message: { subject: string; seq: number; hdrs?: string; data?: string };
    }>(bus, `STREAM.MSG.GET.${stream}`, query);
    const headers = message.hdrs ? Buffer.from(message.hdrs, "base64").toString() : "";
    const data = Buffer.from(message.data ?? "", "base64");
    return storedEvent(message.subject, message.seq, headers, data);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === NO_MESSAGE_FOUND) return null;
    throw error;
  }
}

/** Answered by any replica, which may lag: `null` means "not here", never "not there". */
export async function readDirect(
  bus: Bus,
  stream: string,
  query: ReadQuery,
): Promise<StoredEvent | null> {
  const subject = `$JS.API.DIRECT.GET.${stream}`;
  const { requests } = internalsOf(bus);
  const { headers, data } = await requests.ask("read", subject, JSON.stringify(query));
  const status = statusIn(headers);
  if (status === 404) return null;
  const sequence = Number(headerIn(headers, "Nats-Sequence"));
  if (status !== 0 || !(sequence > 0)) {
    throw new BusUnavailableError(`${subject}: answered ${status}`);
  }
  return storedEvent(headerIn(headers, "Nats-Subject") ?? "", sequence, headers, data);
}

/** An event from a message of the stream and its header block. */
export function storedEvent(
  subject: string,
  sequence: number,
  headers: string,
  data: Uint8Array,
): StoredEvent {
  const messageId = headerIn(headers, "Nats-Msg-Id") ?? "";
  const kind = vendorEventKindOf(headerIn(headers, EVENT_KIND_HEADER), messageId);
  return { subject, sequence, messageId, kind, data };
}

const NO_MESSAGE_FOUND = 10_037;

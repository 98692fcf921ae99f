import { EVENT_KIND_HEADER, vendorEventKindOf } from "@localstreet/contracts/vendor-events";
import type { StoredMsg, StreamInfo } from "@nats-io/jetstream";
import type { Bus } from "./connection.ts";
import { internalsOf } from "./internals.ts";

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
export async function readStreamInfo(bus: Bus, stream: string): Promise<StreamInfo> {
  const { call, jsm } = internalsOf(bus);
  return await call(`info of ${stream}`, () => jsm.streams.info(stream));
}

/** Answered by the stream's leader, so it is never stale. */
export async function readFromLeader(
  bus: Bus,
  stream: string,
  query: ReadQuery,
): Promise<StoredEvent | null> {
  const { call, jsm } = internalsOf(bus);
  const message = await call(`read of ${stream}`, () => jsm.streams.getMessage(stream, query));
  return message && toStoredEvent(message);
}

/** Answered by any replica, which may lag: `null` means "not here", never "not there". */
export async function readDirect(
  bus: Bus,
  stream: string,
  query: ReadQuery,
): Promise<StoredEvent | null> {
  const { call, jsm } = internalsOf(bus);
  const message = await call(`read of ${stream}`, () => jsm.direct.getMessage(stream, query));
  return message && toStoredEvent(message);
}

function toStoredEvent(message: StoredMsg): StoredEvent {
  const { header } = message;
  const messageId = header.last("Nats-Msg-Id");
  return {
    subject: message.subject,
    sequence: message.seq,
    messageId,
    kind: vendorEventKindOf(header.last(EVENT_KIND_HEADER), messageId),
    data: message.data,
  };
}

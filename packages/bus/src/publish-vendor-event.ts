import { isDeepStrictEqual } from "node:util";
import { encodeEventId } from "@localstreet/contracts/event-id";
import type { EventKey, VendorId } from "@localstreet/contracts/ids";
import { invalidRequest, Problem } from "@localstreet/contracts/problem";
import { VENDOR_STREAM, vendorOrdersSubject } from "@localstreet/contracts/subjects";
import {
  type VendorEventData,
  type VendorEventKind,
  vendorEventMessageId,
  vendorEventSchemas,
} from "@localstreet/contracts/vendor-events";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { epochOf } from "./epoch.ts";
import { internalsOf } from "./internals.ts";
import { readFromLeader, readStreamInfo } from "./stream-reads.ts";
import { checkOf } from "./subject-log.ts";

export interface VendorEvent<K extends VendorEventKind> {
  readonly vendorId: VendorId;
  readonly kind: K;
  /** Deduplicates within the vendor and the kind: the order's id, or one that the publisher chose. */
  readonly eventKey: EventKey;
  readonly data: VendorEventData<K>;
}

export interface PublishedEvent {
  /**
   * `duplicate`: the same event had been stored before. `conflict`: another one had, under the same key; what is stored
   * stays. `id` and `sequence` are those of the stored event.
   */
  readonly status: "stored" | "duplicate" | "conflict";
  readonly id: string;
  readonly sequence: number;
}

/**
 * Stores a vendor's event in the log; it is durable when this returns (PROTOCOL.md S1, S2). Idempotent by `eventKey`
 * within the stream's window of duplicates, `placedAt` aside.
 *
 * @throws {Problem} `invalid-request` when the data does not match the kind's schema.
 * @throws {BusUnavailableError} when it is not known to be stored; publishing the same again is safe.
 */
export async function publishVendorEvent<K extends VendorEventKind>(
  bus: Bus,
  event: VendorEvent<K>,
): Promise<PublishedEvent> {
  const subject = vendorOrdersSubject(event.vendorId);
  const messageId = vendorEventMessageId(event.vendorId, event.kind, event.eventKey);
  const checked = vendorEventSchemas[event.kind].safeParse(event.data);
  if (!checked.success) throw invalidRequest(checked.error, `The data of ${event.kind}`);
  if (checked.data.vendorId !== event.vendorId) {
    throw new Problem("invalid-request", "data.vendorId is another vendor's");
  }
  const body = JSON.stringify(checked.data);

  const { js, call } = internalsOf(bus);
  const ack = await call(`publish to ${subject}`, () =>
    js.publish(subject, body, { msgID: messageId }),
  );
  // A duplicate of one that the cluster has not stored yet.
  if (ack.seq === 0) throw new BusUnavailableError(`publish to ${subject}: still being stored`);

  const id = encodeEventId({
    epoch: await currentEpoch(bus),
    sequence: ack.seq,
    check: checkOf(subject, messageId),
  });
  if (!ack.duplicate) return { status: "stored", id, sequence: ack.seq };
  const stored = await readFromLeader(bus, VENDOR_STREAM, { seq: ack.seq });
  const same = !stored || isSameEvent(stored.data, body);
  return { status: same ? "duplicate" : "conflict", id, sequence: ack.seq };
}

function isSameEvent(stored: Uint8Array, body: string): boolean {
  try {
    const { placedAt: _, ...before } = JSON.parse(new TextDecoder().decode(stored));
    const { placedAt: __, ...now } = JSON.parse(body);
    return isDeepStrictEqual(before, now);
  } catch {
    return false;
  }
}

const EPOCH_AGE_MS = 5_000;
const epochs = new WeakMap<Bus, { epoch: Promise<string>; readAtMs: number }>();

/** The stream's epoch, asked for again after a while: a stream that was created anew has a new one. */
function currentEpoch(bus: Bus): Promise<string> {
  const known = epochs.get(bus);
  if (known && performance.now() - known.readAtMs < EPOCH_AGE_MS) return known.epoch;
  const epoch = readEpoch(bus);
  epochs.set(bus, { epoch, readAtMs: performance.now() });
  epoch.catch(() => epochs.delete(bus));
  return epoch;
}

async function readEpoch(bus: Bus): Promise<string> {
  const info = await readStreamInfo(bus, VENDOR_STREAM);
  const epoch = epochOf(info.config.description);
  if (!epoch) throw new BusUnavailableError(`stream ${VENDOR_STREAM} has no epoch yet`);
  return epoch;
}

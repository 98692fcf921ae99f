import { isDeepStrictEqual } from "node:util";
import { encodeEventId } from "@localstreet/contracts/event-id";
import { invalidRequest, Problem } from "@localstreet/contracts/problem";
import { VENDOR_STREAM, vendorOrdersSubject } from "@localstreet/contracts/subjects";
import {
  EVENT_KIND_HEADER,
  type VendorEvent,
  vendorEventMessageId,
  vendorEventSchemas,
} from "@localstreet/contracts/vendor-events";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { epochOf } from "./epoch.ts";
import { ifLastHeaders, isNotLast, publishToStream } from "./jetstream-requests.ts";
import { checkOf } from "./log-position.ts";
import { readFromLeader, readStreamInfo, type StoredEvent } from "./stream-reads.ts";

/** `id` and `sequence` are those of the event that is stored. */
export type PublishedEvent = { readonly id: string; readonly sequence: number } & (
  | {
      /** `duplicate`: the same event had been stored before. */
      readonly status: "stored" | "duplicate";
    }
  | {
      /** Another event had been stored under the same `Nats-Msg-Id`, and stays. */
      readonly status: "conflict";
      readonly winner: StoredEvent;
    }
);

/**
 * Stores a vendor's event in the log; it is durable when this returns (PROTOCOL.md S1, S2). Idempotent by what
 * `vendorEventMessageId` makes of it, within the stream's window of duplicates; the times in it are not compared.
 *
 * @throws {Problem} `invalid-request` when the data does not match the kind's schema.
 * @throws {BusUnavailableError} when it is not known to be stored; publishing the same again is safe.
 */
export async function publishVendorEvent(bus: Bus, event: VendorEvent): Promise<PublishedEvent> {
  return await publish(bus, event, {});
}

/**
 * The same, if the vendor's newest event is still the one at `lastSequence`, 0 for none.
 *
 * @returns `null` when another was stored after it, and nothing was stored now.
 */
export async function publishVendorEventIfLast(
  bus: Bus,
  event: VendorEvent,
  lastSequence: number,
): Promise<PublishedEvent | null> {
  try {
    return await publish(bus, event, ifLastHeaders(lastSequence));
  } catch (error) {
    if (isNotLast(error)) return null;
    throw error;
  }
}

async function publish(
  bus: Bus,
  event: VendorEvent,
  condition: Readonly<Record<string, string>>,
): Promise<PublishedEvent> {
  const subject = vendorOrdersSubject(event.vendorId);
  const checked = vendorEventSchemas[event.kind].safeParse(event.data);
  if (!checked.success) throw invalidRequest(checked.error, `The data of ${event.kind}`);
  if (checked.data.vendorId !== event.vendorId) {
    throw new Problem("invalid-request", "data.vendorId is another vendor's");
  }
  const messageId = vendorEventMessageId(event);
  const body = JSON.stringify(checked.data);
  const { sequence, isDuplicate } = await publishToStream(bus, subject, body, {
    "Nats-Msg-Id": messageId,
    [EVENT_KIND_HEADER]: event.kind,
    ...condition,
  });
  const id = encodeEventId({
    epoch: knownEpoch(bus) ?? (await readEpoch(bus)),
    sequence,
    check: checkOf(subject, messageId),
  });
  if (!isDuplicate) return { status: "stored", id, sequence };
  const stored = await readFromLeader(bus, VENDOR_STREAM, { seq: sequence });
  if (!stored || (stored.kind === event.kind && isSameBody(stored.data, body))) {
    return { status: "duplicate", id, sequence };
  }
  return { status: "conflict", id, sequence, winner: stored };
}

/** Times aside: a publisher that repeats itself has a new clock reading each time. */
function isSameBody(stored: Uint8Array, body: string): boolean {
  try {
    const { placedAt: _, at: __, ...before } = JSON.parse(new TextDecoder().decode(stored));
    const { placedAt: ___, at: ____, ...now } = JSON.parse(body);
    return isDeepStrictEqual(before, now);
  } catch {
    return false;
  }
}

const EPOCH_AGE_MS = 5_000;
const epochs = new WeakMap<Bus, { epoch: string; readAtMs: number }>();
const epochReads = new WeakMap<Bus, Promise<string>>();

/** The stream's epoch, asked for again after a while: a stream that was created anew has a new one. */
function knownEpoch(bus: Bus): string | null {
  const known = epochs.get(bus);
  return known && performance.now() - known.readAtMs < EPOCH_AGE_MS ? known.epoch : null;
}

/** Callers share one read. */
function readEpoch(bus: Bus): Promise<string> {
  const running = epochReads.get(bus);
  if (running) return running;
  const reading = (async () => {
    const readAtMs = performance.now();
    const info = await readStreamInfo(bus, VENDOR_STREAM);
    const epoch = epochOf(info.config.description);
    if (!epoch) throw new BusUnavailableError(`stream ${VENDOR_STREAM} has no epoch yet`);
    epochs.set(bus, { epoch, readAtMs });
    return epoch;
  })().finally(() => epochReads.delete(bus));
  epochReads.set(bus, reading);
  return reading;
}

import { isDeepStrictEqual } from "node:util";
import { type DeliveryId, deliveryIdSchema } from "@localstreet/contracts/ids";
import { DELIVERIES_BUCKET, deliveryKey } from "@localstreet/contracts/subjects";
import { type Delivery, mayFollow } from "@localstreet/contracts/tracking";
import { watchBucket } from "./bucket-watch.ts";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { internalsOf } from "./internals.ts";
import { publishIfLast } from "./jetstream-requests.ts";
import { parseDelivery } from "./parse-delivery.ts";
import { readFromLeader } from "./stream-reads.ts";
import { createTurns } from "./turns.ts";

export type DeliveryListener = (
  deliveryId: DeliveryId,
  /** `undefined` when the delivery is no longer kept. */
  delivery: Delivery | undefined,
  previous: Delivery | undefined,
) => void;

/** All deliveries, as a copy that follows the bucket. */
export interface Deliveries {
  /** From the copy: what the leader held a moment ago. */
  get(deliveryId: DeliveryId): Delivery | undefined;
  /**
   * From the copy, or from the leader when the copy has none: one that was written a moment ago is found.
   *
   * @throws {BusUnavailableError} when the copy has none and the leader cannot be asked.
   */
  find(deliveryId: DeliveryId): Promise<Delivery | undefined>;
  /**
   * Writes a delivery unless its status would go back (PROTOCOL.md T3). Decided on what the leader holds.
   *
   * @throws {BusUnavailableError} when it is not known to be written; writing the same again is safe.
   */
  put(
    deliveryId: DeliveryId,
    delivery: Delivery,
  ): Promise<"created" | "updated" | "unchanged" | "backwards">;
  /** Calls `listener` after each change of the copy. Returns how to stop that. */
  onChange(listener: DeliveryListener): () => void;
  readonly size: number;
  close(): void;
}

const STREAM = `KV_${DELIVERIES_BUCKET}`;
const PUT_ATTEMPTS = 10;
const READS_AT_ONCE = 16;

/** Opens the deliveries with a complete copy, waiting for ever for the bucket to exist. */
export async function openDeliveries(
  bus: Bus,
  /** How often the copy is compared with the leader's newest revision. */
  options: { readonly checkMs?: number } = {},
): Promise<Deliveries> {
  const { logger } = internalsOf(bus);
  const copy = new Map<DeliveryId, { revision: number; delivery: Delivery | undefined }>();
  const listeners = new Set<DeliveryListener>();

  function apply(key: string, revision: number, data: Uint8Array): void {
    const deliveryId = deliveryIdSchema.safeParse(key);
    const known = deliveryId.success && copy.get(deliveryId.data);
    if (!deliveryId.success || (known && revision <= known.revision)) return;
    const delivery = parseDelivery(data);
    copy.set(deliveryId.data, { revision, delivery });
    notify(deliveryId.data, delivery, known ? known.delivery : undefined);
  }

  function notify(deliveryId: DeliveryId, now?: Delivery, before?: Delivery): void {
    if (isDeepStrictEqual(now, before)) return;
    for (const listener of listeners) {
      try {
        listener(deliveryId, now, before);
      } catch (error) {
        logger.error({ err: error, deliveryId }, "a listener of deliveries threw");
      }
    }
  }

  const watch = await watchBucket({
    bus,
    stream: STREAM,
    bucket: DELIVERIES_BUCKET,
    checkMs: options.checkMs ?? 2_000,
    onEntry: apply,
    onNewHistory() {
      for (const held of copy.values()) held.revision = 0;
    },
    async onSnapshot(keys) {
      const inTurn = createTurns(READS_AT_ONCE);
      const absent = [...copy.keys()].filter((deliveryId) => !keys.has(deliveryId));
      await Promise.all(absent.map((deliveryId) => inTurn(() => removeIfGone(deliveryId))));
    },
  });

  async function removeIfGone(deliveryId: DeliveryId): Promise<void> {
    const known = copy.get(deliveryId);
    if (!known || (await readStored(deliveryId)).revision > 0) return;
    // Unless it was written while the leader was asked.
    if (copy.get(deliveryId) !== known) return;
    copy.delete(deliveryId);
    notify(deliveryId, undefined, known.delivery);
  }

  async function readStored(deliveryId: DeliveryId) {
    const subject = `$KV.${DELIVERIES_BUCKET}.${deliveryKey(deliveryId)}`;
    const stored = await readFromLeader(bus, STREAM, { last_by_subj: subject });
    return {
      subject,
      revision: stored?.sequence ?? 0,
      delivery: stored ? parseDelivery(stored.data) : undefined,
    };
  }

  return {
    get: (deliveryId) => copy.get(deliveryId)?.delivery,
    async find(deliveryId) {
      return copy.get(deliveryId)?.delivery ?? (await readStored(deliveryId)).delivery;
    },
    async put(deliveryId, delivery) {
      const body = JSON.stringify(delivery);
      for (let attempt = 1; attempt <= PUT_ATTEMPTS; attempt++) {
        const stored = await readStored(deliveryId);
        if (stored.delivery) {
          if (!mayFollow(stored.delivery.status, delivery.status)) return "backwards";
          if (isDeepStrictEqual(stored.delivery, JSON.parse(body))) return "unchanged";
        }
        const sequence = await publishIfLast(bus, stored.subject, body, stored.revision);
        // Somebody else wrote in between: decide again on what they wrote.
        if (sequence === null) continue;
        apply(deliveryId, sequence, Buffer.from(body));
        return stored.delivery ? "updated" : "created";
      }
      throw new BusUnavailableError(`put a delivery: lost ${PUT_ATTEMPTS} races in a row`);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get size() {
      return copy.size;
    },
    close() {
      watch.close();
      listeners.clear();
    },
  };
}

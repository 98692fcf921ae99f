import { type DeliveryId, deliveryIdSchema, type VendorId } from "@localstreet/contracts/ids";
import { raise } from "@localstreet/contracts/raise";
import { DELIVERIES_BUCKET, deliveryKey } from "@localstreet/contracts/subjects";
import { type Delivery, isFinal } from "@localstreet/contracts/tracking";
import { watchBucket } from "./bucket-watch.ts";
import type { Bus } from "./connection.ts";
import { internalsOf } from "./internals.ts";
import { parseDelivery } from "./parse-delivery.ts";
import { readFromLeader } from "./stream-reads.ts";

/** How many deliveries each vendor has under way, and what changes. */
export interface DeliveriesUnderWay {
  /** `null` until the bucket was read once. */
  countOf(vendorId: VendorId): number | null;
  close(): void;
}

const STREAM = `KV_${DELIVERIES_BUCKET}`;

/**
 * Follows the bucket of deliveries and remembers those under way alone: for who counts, and does not ask for one. Reads
 * in the background; the bucket may be created later. `onChange` hears of each change that is new since the opening.
 */
export function openDeliveriesUnderWay(options: {
  bus: Bus;
  onChange: (deliveryId: DeliveryId, delivery: Delivery) => void;
  /** How often what was seen is compared with the leader's newest revision. */
  checkMs?: number;
}): DeliveriesUnderWay {
  const { bus, onChange } = options;
  const { logger } = internalsOf(bus);
  const underWay = new Map<DeliveryId, { revision: number; vendorId: VendorId }>();
  const counts = new Map<VendorId, number>();
  let newestRevision = 0;
  let isFirstSnapshot = true;

  function add(vendorId: VendorId, change: 1 | -1): void {
    const count = (counts.get(vendorId) ?? 0) + change;
    if (count > 0) counts.set(vendorId, count);
    else counts.delete(vendorId);
  }

  function forget(deliveryId: DeliveryId): void {
    const known = underWay.get(deliveryId);
    if (!known) return;
    underWay.delete(deliveryId);
    add(known.vendorId, -1);
  }

  function apply(key: string, revision: number, data: Uint8Array): void {
    const parsed = deliveryIdSchema.safeParse(key);
    if (!parsed.success) return;
    const deliveryId = parsed.data;
    const known = underWay.get(deliveryId);
    if (known && revision <= known.revision) return;
    const delivery = parseDelivery(data);
    forget(deliveryId);
    if (delivery && !isFinal(delivery.status)) {
      underWay.set(deliveryId, { revision, vendorId: delivery.vendorId });
      add(delivery.vendorId, 1);
    }
    // A watch that starts over begins with what was told already.
    const isNew = !isFirstSnapshot && revision > newestRevision;
    newestRevision = Math.max(newestRevision, revision);
    if (isNew && delivery) onChange(deliveryId, delivery);
  }

  async function forgetIfGone(deliveryId: DeliveryId): Promise<void> {
    const known = underWay.get(deliveryId);
    const subject = `$KV.${DELIVERIES_BUCKET}.${deliveryKey(deliveryId)}`;
    const stored = await readFromLeader(bus, STREAM, { last_by_subj: subject });
    // Unless it was written while the leader was asked.
    if (!stored && underWay.get(deliveryId) === known) forget(deliveryId);
  }

  const watching = watchBucket({
    bus,
    stream: STREAM,
    bucket: DELIVERIES_BUCKET,
    checkMs: options.checkMs ?? 2_000,
    onEntry: apply,
    onNewHistory() {
      underWay.clear();
      counts.clear();
      newestRevision = 0;
      isFirstSnapshot = true;
    },
    async onSnapshot(keys) {
      isFirstSnapshot = false;
      for (const deliveryId of underWay.keys()) {
        if (!keys.has(deliveryId)) await forgetIfGone(deliveryId);
      }
    },
  });
  const opened = watching.catch((error: unknown) => {
    logger.error({ err: error }, "deliveries are not followed");
    return null;
  });

  return {
    countOf: (vendorId) => (isFirstSnapshot ? null : (counts.get(vendorId) ?? 0)),
    close() {
      opened.then((watch) => watch?.close()).catch(raise);
    },
  };
}

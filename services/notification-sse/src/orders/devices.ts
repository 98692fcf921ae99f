import type { VendorId } from "@localstreet/contracts/ids";
import { vendorConnections } from "@localstreet/contracts/keys";
import { raise } from "@localstreet/contracts/raise";
import type { ConnectionLeases } from "@localstreet/service-kit/connection-leases";
import { inTime } from "../in-time.ts";

/** A vendor's devices: its streams of either kind that are open, over all replicas. */
export interface Devices {
  /** One more stream is open here. Returns what to call when it has closed. */
  opened(vendorId: VendorId): () => void;
  /**
   * How many are open, as of a moment ago; `null` when it is not known. Never rejects, and never takes longer than its
   * timeout.
   */
  count(vendorId: VendorId): Promise<number | null>;
}

/**
 * @param options.timeoutMs after which the count counts as not known, in milliseconds.
 * @param options.cacheMs for how long one answer serves a vendor's burst of orders, in milliseconds.
 */
export function openDevices(options: {
  leases: Pick<ConnectionLeases, "acquire" | "release" | "count">;
  timeoutMs: number;
  cacheMs: number;
}): Devices {
  const { leases, timeoutMs, cacheMs } = options;
  const counts = new Map<VendorId, Promise<number | null>>();

  return {
    opened(vendorId) {
      const subject = vendorConnections(vendorId);
      // Without Redis it resolves with `unknown`.
      leases.acquire(subject).catch(raise);
      return () => leases.release(subject);
    },
    count(vendorId) {
      const known = counts.get(vendorId);
      if (known) return known;
      const count = inTime(timeoutMs, leases.count(vendorConnections(vendorId)), null);
      counts.set(vendorId, count);
      setTimeout(() => counts.delete(vendorId), cacheMs).unref();
      return count;
    },
  };
}

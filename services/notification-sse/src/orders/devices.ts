import type { VendorId } from "@localstreet/contracts/ids";
import { vendorConnections } from "@localstreet/contracts/keys";
import type { ConnectionLeases } from "@localstreet/service-kit/connection-leases";

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

  async function ask(vendorId: VendorId): Promise<number | null> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, null);
    });
    try {
      return await Promise.race([leases.count(vendorConnections(vendorId)), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    opened(vendorId) {
      const subject = vendorConnections(vendorId);
      void leases.acquire(subject);
      return () => leases.release(subject);
    },
    count(vendorId) {
      const known = counts.get(vendorId);
      if (known) return known;
      const count = ask(vendorId);
      counts.set(vendorId, count);
      setTimeout(() => counts.delete(vendorId), cacheMs).unref();
      return count;
    },
  };
}

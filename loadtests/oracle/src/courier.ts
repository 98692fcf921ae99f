import { nowMs } from "./clock.ts";
import { fixKey, type Ledger } from "./ledger.ts";
import { codeOf, type Target } from "./target.ts";

export interface Courier {
  /** Sends one position, once: the next is newer. Each has a later `recordedAt` than the one before. */
  report(place: { lat: number; lng: number }): Promise<"accepted" | "refused" | "unknown">;
}

/** A courier's phone, for all of the deliveries on the bike. Fixes are offered to who watches each (PROTOCOL.md T5). */
export function openCourier(options: {
  target: Target;
  ledger: Ledger;
  driverId: string;
  deliveryIds: readonly string[];
}): Courier {
  const { target, ledger, driverId, deliveryIds } = options;
  let lastMs = 0;
  return {
    async report({ lat, lng }) {
      const recordedAtMs = Math.max(lastMs + 1, Date.now());
      lastMs = recordedAtMs;
      for (const deliveryId of deliveryIds) {
        ledger.offer(fixKey(deliveryId, recordedAtMs), {
          audience: ledger.membersOf(deliveryId),
          scopes: [deliveryId],
          group: deliveryId,
          atMs: nowMs(),
        });
      }
      const request = {
        method: "POST",
        path: `/api/driver/${driverId}/location`,
        as: { role: "driver", sub: driverId },
        body: { lat, lng, recordedAt: new Date(recordedAtMs).toISOString() },
      } as const;
      const answer = await target.request(request).catch(() => null);
      const isAccepted = answer?.status === 204;
      for (const deliveryId of deliveryIds) {
        const key = fixKey(deliveryId, recordedAtMs);
        if (isAccepted) ledger.acknowledge(key, { seq: recordedAtMs, atMs: nowMs() });
        else if (answer)
          ledger.refuse(key, { code: codeOf(answer), mayExist: answer.status >= 500 });
        else ledger.refuse(key, { code: "no-answer", mayExist: true });
      }
      if (isAccepted) return "accepted";
      return answer && answer.status < 500 ? "refused" : "unknown";
    },
  };
}

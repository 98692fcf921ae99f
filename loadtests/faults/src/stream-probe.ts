import { type EventStream, openEventStream } from "@localstreet/client/event-stream";
import type { Platform } from "@localstreet/local/platform";

/** A vendor's device whose every step is told: what it was told about its history, and what it was shown. */
export interface StreamProbe {
  readonly vendorId: string;
  /** `status` of every `resume`, in order. */
  readonly verdicts: readonly string[];
  /** Order ids, in order of arrival, with when. */
  readonly orders: readonly { orderId: string; atMs: number }[];
  readonly isOpen: boolean;
  readonly lastEventId: string | undefined;
  has(orderId: string): boolean;
  /** Hangs up; `come` comes back with the id that it left with. */
  leave(): void;
  come(): void;
}

export async function openStreamProbe(
  platform: Pick<Platform, "signToken">,
  baseUrl: string,
  vendorId: string,
): Promise<StreamProbe> {
  const staff = { role: "vendor", sub: `staff-of-${vendorId}`, vendors: [vendorId] } as const;
  const token = await platform.signToken({ ...staff, expiresInSeconds: 3_600 });
  const verdicts: string[] = [];
  const orders: { orderId: string; atMs: number }[] = [];
  let stream: EventStream | undefined;
  let lastEventId: string | undefined;

  function come(): void {
    stream = openEventStream({
      url: `${baseUrl}/api/vendor/${vendorId}/notifications/stream`,
      token,
      lastEventId,
      backoffMs: { base: 200, cap: 2_000 },
      onEvent({ event, data }) {
        const body = JSON.parse(data);
        if (event === "resume") verdicts.push(body.status);
        if (event === "new-order") orders.push({ orderId: body.orderId, atMs: performance.now() });
      },
    });
  }

  come();
  return {
    vendorId,
    verdicts,
    orders,
    get isOpen() {
      return stream?.state.phase === "open";
    },
    get lastEventId() {
      return stream?.lastEventId ?? lastEventId;
    },
    has: (orderId) => orders.some((order) => order.orderId === orderId),
    leave() {
      lastEventId = stream?.lastEventId ?? lastEventId;
      stream?.close();
      stream = undefined;
    },
    come,
  };
}

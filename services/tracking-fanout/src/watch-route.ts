import {
  type TrackingClientFrame,
  trackingClientFrameSchema,
} from "@localstreet/contracts/tracking";
import type { ConnectionLeases } from "@localstreet/service-kit/connection-leases";
import type { ServiceKit } from "@localstreet/service-kit/service";
import type { SharedRate } from "@localstreet/service-kit/shared-rate";
import { registerSocketRoute, type SocketRoute } from "@localstreet/service-kit/ws-session";
import type { TrackingFanoutConfig } from "./config.ts";
import type { DeliveryWatches, TrackingSessionData } from "./delivery-watches.ts";

/** `GET /api/tracking/ws` (PROTOCOL.md T5 to T8). */
export async function registerWatchRoute(
  kit: ServiceKit<TrackingFanoutConfig>,
  {
    leases,
    openings,
    watches,
  }: { leases: ConnectionLeases; openings: SharedRate; watches: DeliveryWatches },
): Promise<SocketRoute> {
  return await registerSocketRoute<TrackingClientFrame, TrackingSessionData>(kit, {
    path: "/api/tracking/ws",
    leases,
    openings,
    roles: ["buyer", "vendor"],
    frameSchema: trackingClientFrameSchema,
    onOpen: () => ({ watches: new Map(), isOpen: true }),
    async onFrame(session, frame) {
      if (frame.type === "watch-delivery") return await watches.start(session, frame);
      watches.stop(session, frame);
    },
    onClose: (session) => watches.close(session),
  });
}

import type { WebSocket } from "ws";
import type { Liar } from "./liar.ts";
import { type ApiAnswer, type ApiRequest, type Bearer, type Frame, sendFrame } from "./wire.ts";

interface Delivery {
  readonly driverId: string;
  readonly buyerId: string;
  readonly vendorId: string;
  readonly status: string;
}

/** Deliveries and positions, with the lies that can be told about them. */
export function createLyingTracking(liar: Liar) {
  const deliveries = new Map<string, Delivery>();
  const positions = new Map<string, Record<string, unknown>>();
  const watches = new Map<WebSocket, string>();

  function show(socket: WebSocket, deliveryId: string, position: Record<string, unknown>): void {
    sendFrame(socket, { type: "location-update", deliveryId, ...position });
  }

  return {
    putDelivery({ path, body }: ApiRequest): ApiAnswer {
      const deliveryId = path[1] ?? "";
      const isNew = !deliveries.has(deliveryId);
      deliveries.set(deliveryId, body as unknown as Delivery);
      return { status: isNew ? 201 : 200, body: { deliveryId } };
    },

    takeFix({ path, body }: ApiRequest): ApiAnswer {
      const driverId = path[1] ?? "";
      const older = positions.get(driverId);
      if (liar.always("keeps the last positions to itself") && older) return { status: 204 };
      const unmeasured = { accuracy: null, heading: null, speed: null };
      const position = { ...unmeasured, ...body, timestamp: new Date().toISOString() };
      positions.set(driverId, position);
      for (const [socket, deliveryId] of watches) {
        if (deliveries.get(deliveryId)?.driverId !== driverId) {
          const other = [...deliveries].find(([, { driverId: driver }]) => driver === driverId);
          if (other && liar.once("shows a courier to a stranger", 3)) {
            show(socket, other[0], position);
          }
          continue;
        }
        show(socket, deliveryId, position);
        if (older && liar.once("shows an older position after a newer one", 3)) {
          show(socket, deliveryId, older);
        }
      }
      return { status: 204 };
    },

    watch(socket: WebSocket, bearer: Bearer, frame: Frame): void {
      const deliveryId = String(frame.deliveryId);
      const delivery = deliveries.get(deliveryId);
      const ref = frame.ref === undefined ? {} : { ref: frame.ref };
      const { role, sub, vendors } = bearer;
      const isOf =
        role === "buyer" ? sub === delivery?.buyerId : vendors.includes(delivery?.vendorId ?? "");
      if (!delivery || !isOf) {
        const refusal = { code: "not-found", message: "not found", retryable: false };
        sendFrame(socket, { type: "error", ...ref, ...refusal });
        return;
      }
      watches.set(socket, deliveryId);
      const newest = positions.get(delivery.driverId);
      const isNewer = newest && String(newest.recordedAt) > String(frame.after ?? "");
      const driver = { state: "live", position: isNewer ? newest : null, fixAt: null };
      sendFrame(socket, { type: "watching", ...ref, deliveryId, status: delivery.status, driver });
    },

    leave: (socket: WebSocket) => void watches.delete(socket),
  };
}

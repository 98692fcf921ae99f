import { z } from "zod";
import {
  authenticatedFrameSchema,
  authenticateFrameSchema,
  errorFrameSchema,
  goawayFrameSchema,
  tokenExpiringFrameSchema,
} from "./chat.ts";
import { deliveryIdSchema, orderIdSchema, personIdSchema, vendorIdSchema } from "./ids.ts";
import { timestampSchema } from "./order.ts";

const lat = z.number().min(-90).max(90);
const lng = z.number().min(-180).max(180);

/** Body of `POST /api/driver/{driverId}/location`. WGS-84 degrees, metres, degrees from north, metres a second. */
export const fixSchema = z.strictObject({
  lat,
  lng,
  /** When the phone measured it; the time of arrival when it is absent. */
  recordedAt: timestampSchema.optional(),
  accuracy: z.number().min(0).max(100_000).optional(),
  heading: z.number().min(0).max(360).optional(),
  speed: z.number().min(0).max(200).optional(),
});
export type Fix = z.infer<typeof fixSchema>;

/** An accepted fix, as Redis holds it and as `live.tracking.<driverId>` carries it. */
export const positionSchema = z.object({
  lat,
  lng,
  accuracy: z.number().nullable(),
  heading: z.number().nullable(),
  speed: z.number().nullable(),
  recordedAt: timestampSchema,
  /** When the platform accepted it. */
  timestamp: timestampSchema,
});
export type Position = z.infer<typeof positionSchema>;

/** A position as Redis holds it; `null` for what this version does not understand: the next fix takes its place. */
export function parseStoredPosition(encoded: string): Position | null {
  try {
    return positionSchema.parse(JSON.parse(encoded));
  } catch {
    return null;
  }
}

/** Forward only, in this order; `cancelled` from anywhere but `delivered`. */
export const deliveryStatusSchema = z.enum([
  "assigned",
  "picked_up",
  "arriving",
  "delivered",
  "cancelled",
]);
export type DeliveryStatus = z.infer<typeof deliveryStatusSchema>;

/** Whether a delivery in this status is over: nobody watches it any more. */
export function isFinal(status: DeliveryStatus): boolean {
  return status === "delivered" || status === "cancelled";
}

/** Whether `to` may follow `from`. Status only moves forward, so that a late retry reopens nothing. */
export function mayFollow(from: DeliveryStatus, to: DeliveryStatus): boolean {
  if (from === to) return true;
  if (isFinal(from)) return false;
  if (to === "cancelled") return true;
  const order = deliveryStatusSchema.options;
  return order.indexOf(to) > order.indexOf(from);
}

const placeSchema = z.strictObject({ lat, lng });

/** Body of `PUT /api/deliveries/{deliveryId}`. */
export const deliverySchema = z.strictObject({
  driverId: personIdSchema,
  buyerId: personIdSchema,
  vendorId: vendorIdSchema,
  orderId: orderIdSchema,
  destination: placeSchema,
  status: deliveryStatusSchema,
});
export type Delivery = z.infer<typeof deliverySchema>;

export const driverStateSchema = z.enum(["live", "stale", "lost"]);
export type DriverState = z.infer<typeof driverStateSchema>;

/** A fix younger than this is `live`; without one for `POSITION_TTL_SECONDS` the driver is `lost`. Milliseconds. */
export const LIVE_FIX_AGE_MS = 15_000;

export const driverSchema = z.object({
  state: driverStateSchema,
  position: positionSchema.nullable(),
  fixAt: timestampSchema.nullable(),
});
export type Driver = z.infer<typeof driverSchema>;

/** Answer of `GET /api/deliveries/{deliveryId}`, for its buyer, its vendor and services. */
export const deliveryStateSchema = z.object({
  deliveryId: deliveryIdSchema,
  ...deliverySchema.shape,
  driver: driverSchema,
});

const refSchema = z.int().min(0);

export const watchDeliveryFrameSchema = z.strictObject({
  type: z.literal("watch-delivery"),
  ref: refSchema.optional(),
  deliveryId: deliveryIdSchema,
  /** The newest `recordedAt` that the client has: nothing older is shown. */
  after: timestampSchema.optional(),
});

export const unwatchDeliveryFrameSchema = z.strictObject({
  type: z.literal("unwatch-delivery"),
  ref: refSchema.optional(),
  deliveryId: deliveryIdSchema,
});

export const trackingClientFrameSchema = z.discriminatedUnion("type", [
  authenticateFrameSchema,
  watchDeliveryFrameSchema,
  unwatchDeliveryFrameSchema,
]);
export type TrackingClientFrame = z.infer<typeof trackingClientFrameSchema>;
/** As a client writes it, before its ids were checked. */
export type WatchDeliveryFrameInput = z.input<typeof watchDeliveryFrameSchema>;
export type UnwatchDeliveryFrameInput = z.input<typeof unwatchDeliveryFrameSchema>;

export const watchingFrameSchema = z.object({
  type: z.literal("watching"),
  ref: refSchema.optional(),
  deliveryId: deliveryIdSchema,
  status: deliveryStatusSchema,
  driver: driverSchema,
});

export const unwatchedFrameSchema = z.object({
  type: z.literal("unwatched"),
  ref: refSchema.optional(),
  deliveryId: deliveryIdSchema,
});

export const locationUpdateFrameSchema = z.object({
  type: z.literal("location-update"),
  deliveryId: deliveryIdSchema,
  ...positionSchema.shape,
});

export const deliveryUpdatedFrameSchema = z.object({
  type: z.literal("delivery-updated"),
  deliveryId: deliveryIdSchema,
  status: deliveryStatusSchema,
});

export const trackingServerFrameSchema = z.discriminatedUnion("type", [
  watchingFrameSchema,
  unwatchedFrameSchema,
  locationUpdateFrameSchema,
  deliveryUpdatedFrameSchema,
  authenticatedFrameSchema,
  errorFrameSchema,
  goawayFrameSchema,
  tokenExpiringFrameSchema,
]);
export type TrackingServerFrame = z.infer<typeof trackingServerFrameSchema>;

import { z } from "zod";
import { personIdSchema } from "./ids.ts";
import {
  acknowledgementSchema,
  orderAcceptedSchema,
  orderSchema,
  orderStateSchema,
  orderStatusSchema,
  postOrderStatusSchema,
  storedNewOrderSchema,
  timestampSchema,
} from "./order.ts";
import { issuesSchema } from "./problem.ts";
import { escalationReasonSchema } from "./vendor-events.ts";

export const ORDERS_PER_BATCH = 100;

/** Body of `POST /api/vendor/{vendorId}/orders/batch`. */
export const postOrdersSchema = z.strictObject({
  orders: z.array(orderSchema).min(1).max(ORDERS_PER_BATCH),
});

/** What became of one order of a batch (PROTOCOL.md S19). */
export const orderVerdictSchema = z.object({
  /** As it was sent; `null` when what was sent has none. */
  orderId: z.string().nullable(),
  /** `unavailable` may be sent again; `conflict`: another body was stored under this `orderId`. */
  status: z.enum(["stored", "duplicate", "conflict", "invalid", "unavailable"]),
  /** The event's id in the vendor's stream, for `stored` and `duplicate`. */
  id: z.string().optional(),
  /** What is wrong where, for `invalid`. */
  issues: issuesSchema.optional(),
});
export type OrderVerdict = z.infer<typeof orderVerdictSchema>;

/** Answer of the batch: a verdict for each order, in the order of the request. */
export const ordersAcceptedSchema = z.object({
  results: z.array(orderVerdictSchema),
  devices: orderAcceptedSchema.shape.devices,
});
export type OrdersAccepted = z.infer<typeof ordersAcceptedSchema>;

/** Answer of `POST …/orders/{orderId}/ack` with 200. */
export const acknowledgedSchema = z.object({
  /** The event's id in the vendor's stream; `null` for a duplicate that the record knew of. */
  id: z.string().nullable(),
  state: acknowledgementSchema,
  /** It had been told before; nothing was stored now. */
  duplicate: z.boolean(),
});
export type Acknowledged = z.infer<typeof acknowledgedSchema>;

/** Answer of `POST …/orders/{orderId}/status` with 202. */
export const statusStoredSchema = z.object({
  id: acknowledgedSchema.shape.id,
  status: postOrderStatusSchema.shape.status,
  duplicate: z.boolean(),
});
export type StatusStored = z.infer<typeof statusStoredSchema>;

const timeOrNull = timestampSchema.nullable();

/** An order and what has become of it. */
export const recordedOrderSchema = z.object({
  ...storedNewOrderSchema.shape,
  status: orderStatusSchema,
  state: orderStateSchema,
  receivedAt: timeOrNull,
  seenAt: timeOrNull,
  answeredAt: timeOrNull,
  /** The member of staff; `null` when nobody has answered, or a backend did. */
  answeredBy: personIdSchema.nullable(),
  escalatedAt: timeOrNull,
  escalationReason: escalationReasonSchema.nullable(),
  expiredAt: timeOrNull,
  cancelledAt: timeOrNull,
  /** How many reminders there were. */
  reminders: z.int().min(0),
});
export type RecordedOrder = z.infer<typeof recordedOrderSchema>;

const snapshot = {
  /** Where the record stands: a stream that is opened with this id brings every later event, and none before. */
  asOf: z.string(),
  /** It holds everything that was stored when it was asked for. If not, the stream from `asOf` brings the rest. */
  current: z.boolean(),
};

/** Answer of `GET /api/vendor/{vendorId}/orders/{orderId}`. */
export const orderSnapshotSchema = z.object({ ...snapshot, order: recordedOrderSchema });
export type OrderSnapshot = z.infer<typeof orderSnapshotSchema>;

/** Answer of `GET /api/vendor/{vendorId}/orders`: one page. `asOf` is that of the first page on all of them. */
export const ordersSnapshotSchema = z.object({
  ...snapshot,
  orders: z.array(recordedOrderSchema),
  /** There are more than the limit. */
  more: z.boolean(),
  /** `after` of the next page; `null` on the last one. */
  next: z.string().nullable(),
});
export type OrdersSnapshot = z.infer<typeof ordersSnapshotSchema>;

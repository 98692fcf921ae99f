import { z } from "zod";
import { eventKeySchema, orderIdSchema, personIdSchema, vendorIdSchema } from "./ids.ts";
import { textSchema } from "./text.ts";

/** ISO 8601 in UTC with milliseconds, as `Date.prototype.toISOString` writes it. */
export const timestampSchema = z.iso.datetime({ precision: 3 });

/** An integer in the currency's minor unit (ISO 4217). */
const amountSchema = z.int().min(0).max(1_000_000_000_000);

export const orderItemSchema = z.strictObject({
  name: textSchema(200),
  quantity: z.int().min(1).max(10_000),
  unitPrice: amountSchema,
});

function itemsOf<S extends z.ZodType>(item: S) {
  return z.array(item).min(1).max(100);
}

/** Body of `POST /api/vendor/{vendorId}/orders`. */
export const orderSchema = z.strictObject({
  orderId: orderIdSchema,
  buyerId: personIdSchema,
  items: itemsOf(orderItemSchema),
  total: amountSchema,
  currency: z.string().regex(/^[A-Z]{3}$/, "must be an ISO 4217 code"),
  note: textSchema(1_000, 0).optional(),
});
export type Order = z.infer<typeof orderSchema>;

/** `data` of the event `new-order`. */
export const newOrderSchema = orderSchema.extend({
  vendorId: vendorIdSchema,
  placedAt: timestampSchema,
});
export type NewOrder = z.infer<typeof newOrderSchema>;

/** The same as it is read: a newer version may have added fields, which are kept, and an older one took any text. */
export const storedNewOrderSchema = newOrderSchema
  .extend({
    items: itemsOf(orderItemSchema.extend({ name: z.string() }).loose()),
    note: z.string().optional(),
  })
  .loose();

/** Where an order is on its way from the buyer to the buyer. */
export const orderStatusSchema = z.enum([
  "placed",
  "accepted",
  "rejected",
  "preparing",
  "ready",
  "picked_up",
  "delivered",
  "cancelled",
  "expired",
]);
export type OrderStatus = z.infer<typeof orderStatusSchema>;

/** Body of `POST /api/vendor/{vendorId}/orders/{orderId}/status`. What the platform itself tells is no status to post. */
export const postOrderStatusSchema = z.strictObject({
  status: orderStatusSchema.exclude(["placed", "expired"]),
  /** Makes another event of a status that was told before; the same id again is the same event. */
  eventId: eventKeySchema.optional(),
});
export type PostOrderStatus = z.infer<typeof postOrderStatusSchema>;

/**
 * What a vendor's device says of an order. `received`: it shows it and sounds. `seen`: the sound stops everywhere, the
 * deadlines go on. `accepted`, `rejected`: the answer, which ends both.
 */
export const acknowledgementSchema = z.enum(["received", "seen", "accepted", "rejected"]);
export type Acknowledgement = z.infer<typeof acknowledgementSchema>;

/** Body of `POST /api/vendor/{vendorId}/orders/{orderId}/ack`. */
export const postAcknowledgementSchema = z.strictObject({ state: acknowledgementSchema });

/** Whether an order still rings, or how it ended. The first four are open. */
export const orderStateSchema = z.enum([
  "ringing",
  "received",
  "seen",
  "escalated",
  "accepted",
  "rejected",
  "expired",
  "cancelled",
]);
export type OrderState = z.infer<typeof orderStateSchema>;

/** What decided an order, once and for all. */
export const orderDecisionSchema = z.object({
  state: z.enum(["accepted", "rejected", "expired", "cancelled"]),
  /** The member of the vendor's staff who answered; `null` when a backend or the clock decided. */
  by: personIdSchema.nullable(),
  at: timestampSchema,
});
export type OrderDecision = z.infer<typeof orderDecisionSchema>;

/** Answer of `POST /api/vendor/{vendorId}/orders` with 202: the event is durable. */
export const orderAcceptedSchema = z.object({
  /** The event's id in the vendor's stream. */
  id: z.string(),
  /** The same order had been stored before; nothing was stored now. */
  duplicate: z.boolean(),
  /** How many of the vendor's streams are open over all replicas; `null` when that is not known. */
  devices: z.int().min(0).nullable(),
});
export type OrderAccepted = z.infer<typeof orderAcceptedSchema>;

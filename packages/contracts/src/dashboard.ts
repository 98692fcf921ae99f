import { z } from "zod";
import { conversationIdSchema, deliveryIdSchema, eventKeySchema, orderIdSchema } from "./ids.ts";
import { newOrderSchema, timestampSchema } from "./order.ts";
import { textSchema } from "./text.ts";
import { deliveryStatusSchema } from "./tracking.ts";

/** What a backend tells of a shop: somebody looks, fills a basket, says what they think. */
function linesOf(text: (maxCharacters: number) => z.ZodString) {
  return {
    visit: { kind: z.literal("visit"), page: text(200) },
    cart: {
      kind: z.literal("cart"),
      action: z.enum(["added", "removed", "abandoned"]),
      item: text(200),
      quantity: z.int().min(1).max(10_000),
    },
    review: {
      kind: z.literal("review"),
      stars: z.int().min(1).max(5),
      text: text(500),
      author: text(100).optional(),
    },
  };
}
const posted = linesOf(textSchema);
// A line that was stored under an older rule of texts is shown all the same.
const stored = linesOf(() => z.string());

const identity = {
  /** The same id again is the same line: nothing is stored. */
  activityId: eventKeySchema.optional(),
};

/** Body of `POST /api/vendor/{vendorId}/activity` (PROTOCOL.md S42). */
export const postActivitySchema = z.discriminatedUnion("kind", [
  z.strictObject({ ...posted.visit, ...identity }),
  z.strictObject({ ...posted.cart, ...identity }),
  z.strictObject({ ...posted.review, ...identity }),
]);
export type PostActivity = z.infer<typeof postActivitySchema>;

const at = { at: timestampSchema };

/** What the log of activity holds. */
export const storedActivitySchema = z.discriminatedUnion("kind", [
  z.object({ ...stored.visit, ...at }),
  z.object({ ...stored.cart, ...at }),
  z.object({ ...stored.review, ...at }),
]);
export type StoredActivity = z.infer<typeof storedActivitySchema>;

/** `activity` on the dashboard's stream: one line each (PROTOCOL.md S12, S41). No id, never replayed. */
export const activityEventSchema = z.discriminatedUnion("kind", [
  ...storedActivitySchema.options,
  z.object({
    ...at,
    kind: z.literal("chat"),
    conversationId: conversationIdSchema,
    side: z.enum(["buyer", "vendor", "system"]),
    /** The first 120 characters of the message. */
    text: z.string(),
  }),
  z.object({
    ...at,
    kind: z.literal("delivery"),
    deliveryId: deliveryIdSchema,
    orderId: orderIdSchema,
    status: deliveryStatusSchema,
  }),
]);
export type ActivityEvent = z.infer<typeof activityEventSchema>;

const count = z.int().min(0).nullable();

/** `summary` on the dashboard's stream (PROTOCOL.md S38, S39). A figure is `null` while it is not known. */
export const summarySchema = z.object({
  /** The vendor's day that `orders` and `revenue` are of. */
  day: z.iso.date(),
  timeZone: z.string(),
  /** Orders placed that day, those that came to nothing (rejected, cancelled, expired) left out, as in `revenue`. */
  orders: count,
  revenue: z
    .array(z.object({ currency: newOrderSchema.shape.currency, amount: z.int().min(0) }))
    .nullable(),
  /** Orders of any day that nobody has answered yet. */
  openOrders: count,
  /** Conversations whose newest message is the buyer's. */
  unreadChats: count,
  deliveriesUnderWay: count,
  /** Open streams of the vendor, over all replicas. */
  devicesOnline: count,
  /** The record cannot be read: what came from it stood so at `asOf`. */
  stale: z.boolean(),
  /** When the record was last read; `null` when it never was. */
  asOf: timestampSchema.nullable(),
});
export type Summary = z.infer<typeof summarySchema>;

// A name of IANA's alone: Postgres and Intl read offsets and abbreviations differently.
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/;

/** A time zone by its IANA name, as `Europe/Stockholm`. */
export const timeZoneSchema = z
  .string()
  .max(64)
  .refine(isTimeZone, "must be an IANA time zone, as Europe/Stockholm");

/** Body of `PUT /api/vendor/{vendorId}/settings` (PROTOCOL.md S40). */
export const vendorSettingsSchema = z.strictObject({ timeZone: timeZoneSchema });
export type VendorSettings = z.infer<typeof vendorSettingsSchema>;

function isTimeZone(name: string): boolean {
  if (!ZONE_NAME.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

import { z } from "zod";

/** What every id of the platform looks like (PROTOCOL.md G1). Nothing else reaches a subject, a key or a query. */
export const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

const id = z.string().regex(ID_PATTERN, "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -");

export const vendorIdSchema = id.brand<"VendorId">();
export const orderIdSchema = id.brand<"OrderId">();
export const deliveryIdSchema = id.brand<"DeliveryId">();
export const conversationIdSchema = id.brand<"ConversationId">();
export const messageIdSchema = id.brand<"MessageId">();
export const clientMessageIdSchema = id.brand<"ClientMessageId">();
/** A person: a buyer, a driver or one of a vendor's staff. See `personId` of service-kit for how a token's `sub` becomes one. */
export const personIdSchema = id.brand<"PersonId">();
/** The id under which one vendor's event is deduplicated: an order id, or one that the publisher chose. */
export const eventKeySchema = id.brand<"EventKey">();

export type VendorId = z.infer<typeof vendorIdSchema>;
export type OrderId = z.infer<typeof orderIdSchema>;
export type DeliveryId = z.infer<typeof deliveryIdSchema>;
export type ConversationId = z.infer<typeof conversationIdSchema>;
export type MessageId = z.infer<typeof messageIdSchema>;
export type ClientMessageId = z.infer<typeof clientMessageIdSchema>;
export type PersonId = z.infer<typeof personIdSchema>;
export type EventKey = z.infer<typeof eventKeySchema>;

type AnyId =
  | VendorId
  | OrderId
  | DeliveryId
  | ConversationId
  | MessageId
  | ClientMessageId
  | PersonId
  | EventKey;

/**
 * An id as one token of a subject or a key. The brand already says that it was validated; this check is for callers
 * without types, because an unchecked `*` reads every vendor's events.
 *
 * @throws {TypeError} when the value is no id.
 */
export function idToken(value: AnyId): string {
  if (typeof value !== "string" || !ID_PATTERN.test(value)) {
    throw new TypeError("not a valid id: refused as part of a subject or key");
  }
  return value;
}

import { z } from "zod";
import { conversationIdSchema, type EventKey, idToken, type VendorId } from "./ids.ts";
import { newOrderSchema, timestampSchema } from "./order.ts";

/** Durable events of a vendor: each is stored in the log, carries an id and is replayed. */
export const vendorEventSchemas = {
  "new-order": newOrderSchema,
} as const;
export type VendorEventKind = keyof typeof vendorEventSchemas;
export type VendorEventData<K extends VendorEventKind> = z.infer<(typeof vendorEventSchemas)[K]>;

/**
 * `Nats-Msg-Id` of a vendor event. JetStream deduplicates over the whole stream, so the vendor and the kind are in it:
 * a bare order id of one vendor would swallow another vendor's order.
 */
export function vendorEventMessageId(
  vendorId: VendorId,
  kind: VendorEventKind,
  eventKey: EventKey,
): string {
  return `${idToken(vendorId)}:${kind}:${idToken(eventKey)}`;
}

/** The kind of event in a `Nats-Msg-Id`; `null` for one that this platform did not write. Costs no JSON parse. */
export function vendorEventKindOf(messageId: string): string | null {
  const [, kind, key] = messageId.split(":", 3);
  return kind && key && /^[a-z][a-z-]{0,40}$/.test(kind) ? kind : null;
}

export const resumeStatusSchema = z.enum(["fresh", "complete", "gap", "reset"]);
export type ResumeStatus = z.infer<typeof resumeStatusSchema>;

/** First event of every stream (PROTOCOL.md S6). */
export const resumeEventSchema = z.object({
  status: resumeStatusSchema,
  /** The id that the client came with; `null` when it had none or it is unknown here. */
  from: z.string().nullable(),
  /** Where the stream stood when it was opened: the id to resume from. */
  to: z.string(),
  /** How many events follow before the live ones; `null` for more than are counted ahead. */
  replayed: z.int().nullable(),
});
export type ResumeEvent = z.infer<typeof resumeEventSchema>;

/** `ping` for a client's watchdog. */
export const pingEventSchema = z.object({ head: z.string() });

/** `error`, then the end of the stream. */
export const streamErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
});

/** `goaway`, then the end of the stream: come back after a while, to another replica. */
export const streamGoawaySchema = z.object({ retryAfterMs: z.int() });

/** `activity` on the dashboard's stream: one line each. No id, never replayed. */
export const activityEventSchema = z.object({
  kind: z.literal("chat"),
  at: timestampSchema,
  conversationId: conversationIdSchema,
  side: z.enum(["buyer", "vendor", "system"]),
  /** The first 120 characters of the message. */
  text: z.string(),
});
export type ActivityEvent = z.infer<typeof activityEventSchema>;

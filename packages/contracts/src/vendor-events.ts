import { z } from "zod";
import {
  type EventKey,
  idToken,
  orderIdSchema,
  personIdSchema,
  type VendorId,
  vendorIdSchema,
} from "./ids.ts";
import {
  acknowledgementSchema,
  newOrderSchema,
  orderStatusSchema,
  storedNewOrderSchema,
  timestampSchema,
} from "./order.ts";

export const escalationReasonSchema = z.enum(["unanswered", "nobody-connected"]);

const aboutOrder = { orderId: orderIdSchema, vendorId: vendorIdSchema, at: timestampSchema };

/**
 * Durable events of a vendor, as they are published: each is stored in the log, carries an id and is replayed. Whoever
 * reads one uses `storedEventSchemas`.
 */
export const vendorEventSchemas = {
  "new-order": newOrderSchema,
  "order-updated": z.strictObject({ ...aboutOrder, status: orderStatusSchema }),
  /** `by` is the member of staff. */
  "order-acknowledged": z.strictObject({
    ...aboutOrder,
    state: acknowledgementSchema,
    by: personIdSchema,
  }),
  /** `reminder` counts from 1. */
  "order-reminder": z.strictObject({
    ...aboutOrder,
    reminder: z.int().min(1),
    total: newOrderSchema.shape.total,
    currency: newOrderSchema.shape.currency,
    placedAt: timestampSchema,
  }),
  /** `nobody-connected`: no device was open when the order came, and none came soon after. */
  "order-escalated": z.strictObject({
    ...aboutOrder,
    reason: escalationReasonSchema,
    placedAt: timestampSchema,
  }),
  "order-expired": z.strictObject({ ...aboutOrder, placedAt: timestampSchema }),
} as const;
export type VendorEventKind = keyof typeof vendorEventSchemas;
export type VendorEventData<K extends VendorEventKind> = z.infer<(typeof vendorEventSchemas)[K]>;

/**
 * The same events as they are read, from the log or from a stream: a newer version may have added fields, which are kept
 * (PROTOCOL.md S44).
 */
export const storedEventSchemas = {
  "new-order": storedNewOrderSchema,
  "order-updated": vendorEventSchemas["order-updated"].loose(),
  "order-acknowledged": vendorEventSchemas["order-acknowledged"].loose(),
  "order-reminder": vendorEventSchemas["order-reminder"].loose(),
  "order-escalated": vendorEventSchemas["order-escalated"].loose(),
  "order-expired": vendorEventSchemas["order-expired"].loose(),
} as const satisfies Record<VendorEventKind, z.ZodType>;

/** One event, before it is stored. */
export type VendorEvent = {
  [K in VendorEventKind]: {
    readonly vendorId: VendorId;
    readonly kind: K;
    readonly data: VendorEventData<K>;
    /** For `order-updated`: tells apart two events of the same status. */
    readonly eventId?: EventKey | undefined;
  };
}[VendorEventKind];

/** NATS header that names the kind of a stored event: two kinds that exclude each other share one `Nats-Msg-Id`. */
export const EVENT_KIND_HEADER = "Localstreet-Event";

/**
 * `Nats-Msg-Id` of a vendor event. JetStream deduplicates over the whole stream, so the vendor and the kind are in it:
 * a bare order id of one vendor would swallow another vendor's order. Whatever decides an order, an answer of the vendor,
 * the same told by a backend, or its expiry, has one id in common: the first that is stored wins, over all replicas.
 */
export function vendorEventMessageId(event: VendorEvent): string {
  const vendor = idToken(event.vendorId);
  const order = idToken(event.data.orderId);
  switch (event.kind) {
    case "new-order":
    case "order-escalated":
      return `${vendor}:${event.kind}:${order}`;
    case "order-updated": {
      const { status } = event.data;
      if (status === "accepted" || status === "rejected") return `${vendor}:order-outcome:${order}`;
      return event.eventId === undefined
        ? `${vendor}:${event.kind}:${order}:status:${status}`
        : `${vendor}:${event.kind}:${order}:id:${idToken(event.eventId)}`;
    }
    case "order-acknowledged": {
      const { state } = event.data;
      if (state === "accepted" || state === "rejected") return `${vendor}:order-outcome:${order}`;
      return `${vendor}:${event.kind}:${order}:${state}`;
    }
    case "order-reminder":
      return `${vendor}:${event.kind}:${order}:${event.data.reminder}`;
    case "order-expired":
      return `${vendor}:order-outcome:${order}`;
  }
}

/**
 * The kind of a stored event from its header `Localstreet-Event`, or from its `Nats-Msg-Id` where there is none; `null`
 * for something that this platform did not write. Costs no JSON parse.
 */
export function vendorEventKindOf(header: string | undefined, messageId: string): string | null {
  const [, inId, key] = messageId.split(":", 3);
  const kind = header || inId;
  return kind && key && /^[a-z][a-z-]{0,40}$/.test(kind) ? kind : null;
}

/** What the stream `OPS` holds of an escalation: the event's data, and its id in the vendor's stream. */
export const escalationSchema = storedEventSchemas["order-escalated"].extend({
  eventId: z.string(),
});
export type Escalation = VendorEventData<"order-escalated"> & { readonly eventId: string };

/** Body of the webhook for escalations, in the form of Standard Webhooks. */
export const escalationWebhookSchema = z.object({
  type: z.literal("order.escalated"),
  timestamp: timestampSchema,
  data: escalationSchema,
});
export type EscalationWebhook = z.infer<typeof escalationWebhookSchema>;

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

/** Answer to `GET /api/vendor/{vendorId}/notifications` (PROTOCOL.md S15). */
export const notificationsPageSchema = z.object({
  resume: z.object({
    status: resumeStatusSchema,
    /** The id of `after`; `null` when there was none or it is unknown here. */
    from: z.string().nullable(),
    /** The next `after`: the last of these events, or where the log stands. */
    to: z.string(),
  }),
  /** In order; `event` and `data` are those of the stream. */
  events: z.array(z.object({ id: z.string(), event: z.string(), data: z.unknown() })),
  /** More follow at once. */
  more: z.boolean(),
});
export type NotificationsPage = z.infer<typeof notificationsPageSchema>;

/** `ping` for a client's watchdog. */
export const pingEventSchema = z.object({ head: z.string() });

/** `error`, then the end of the stream. */
export const streamErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  /** When to come back, where that is known; `retry:` is never earlier. */
  retryAfterMs: z.number().optional(),
});

/** `token-expiring`: whoever has a newer token comes back with it; at `expiresAt` the stream ends. */
export const streamTokenExpiringSchema = z.object({ expiresAt: timestampSchema });
export type StreamTokenExpiring = z.infer<typeof streamTokenExpiringSchema>;

/** `goaway`, then the end of the stream: come back after a while, to another replica. */
export const streamGoawaySchema = z.object({ retryAfterMs: z.int() });

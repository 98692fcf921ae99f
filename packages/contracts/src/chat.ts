import { z } from "zod";
import {
  clientMessageIdSchema,
  conversationIdSchema,
  messageIdSchema,
  orderIdSchema,
  personIdSchema,
  vendorIdSchema,
} from "./ids.ts";
import { timestampSchema } from "./order.ts";
import { textSchema } from "./text.ts";

export const CHAT_CONTENT_MAX = 4_000;

/** Text, 1 to 4,000 characters, stored and returned as sent (PROTOCOL.md C6). */
export const chatContentSchema = textSchema(CHAT_CONTENT_MAX);

export const chatSideSchema = z.enum(["buyer", "vendor", "system"]);
export type ChatSide = z.infer<typeof chatSideSchema>;

const refSchema = z.int().min(0);

export const authenticateFrameSchema = z.strictObject({
  type: z.literal("authenticate"),
  ref: refSchema.optional(),
  token: z.string().min(1).max(8_192),
});

export const sendMessageFrameSchema = z
  .strictObject({
    type: z.literal("send-message"),
    ref: refSchema.optional(),
    clientMessageId: clientMessageIdSchema,
    conversationId: conversationIdSchema.optional(),
    /** A buyer names the vendor to talk to. The conversation is opened when there is none. */
    to: vendorIdSchema.optional(),
    /** Which of several vendors a member of staff speaks for. */
    as: vendorIdSchema.optional(),
    orderId: orderIdSchema.optional(),
    content: chatContentSchema,
  })
  .refine((frame) => (frame.conversationId === undefined) !== (frame.to === undefined), {
    message: "give either conversationId or to",
    path: ["conversationId"],
  });
export type SendMessageFrame = z.infer<typeof sendMessageFrameSchema>;
/** As a client writes it, before its ids were checked. */
export type SendMessageFrameInput = z.input<typeof sendMessageFrameSchema>;

export const chatClientFrameSchema = z.discriminatedUnion("type", [
  authenticateFrameSchema,
  sendMessageFrameSchema,
]);
export type ChatClientFrame = z.infer<typeof chatClientFrameSchema>;

export const chatMessageSchema = z.object({
  conversationId: conversationIdSchema,
  messageId: messageIdSchema,
  /** 1, 2, 3 … within the conversation, without holes. */
  seq: z.int().min(1),
  senderId: personIdSchema,
  side: chatSideSchema,
  content: z.string(),
  orderId: orderIdSchema.nullable(),
  createdAt: timestampSchema,
  clientMessageId: clientMessageIdSchema,
});
export type ChatMessage = z.infer<typeof chatMessageSchema>;

export const conversationSchema = z.object({
  conversationId: conversationIdSchema,
  buyerId: personIdSchema,
  vendorId: vendorIdSchema,
  orderId: orderIdSchema.nullable(),
  createdAt: timestampSchema,
  /** `seq` of the newest message, 0 when there is none. */
  lastSeq: z.int().min(0),
});
export type Conversation = z.infer<typeof conversationSchema>;

export const ackFrameSchema = z.object({
  type: z.literal("ack"),
  ref: refSchema.optional(),
  clientMessageId: clientMessageIdSchema,
  conversationId: conversationIdSchema,
  messageId: messageIdSchema,
  seq: z.int().min(1),
  createdAt: timestampSchema,
  duplicate: z.boolean(),
});
export type AckFrame = z.infer<typeof ackFrameSchema>;

export const messageFrameSchema = chatMessageSchema.extend({ type: z.literal("message") });
export type MessageFrame = z.infer<typeof messageFrameSchema>;

export const authenticatedFrameSchema = z.object({
  type: z.literal("authenticated"),
  ref: refSchema.optional(),
  userId: personIdSchema,
  expiresAt: timestampSchema,
  pingIntervalMs: z.int(),
});

/** Answers the frame that caused it (`ref`), or says why a connection is about to be closed. */
export const errorFrameSchema = z.object({
  type: z.literal("error"),
  ref: refSchema.optional(),
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.int().optional(),
});
export type ErrorFrame = z.infer<typeof errorFrameSchema>;

/** Comes before every close that the server does on purpose. */
export const goawayFrameSchema = z.object({
  type: z.literal("goaway"),
  code: z.int(),
  reason: z.string(),
  reconnect: z.boolean(),
  retryAfterMs: z.int(),
});

/** 60 s before the token ends: send `authenticate` again. */
export const tokenExpiringFrameSchema = z.object({
  type: z.literal("token-expiring"),
  expiresAt: timestampSchema,
});

export const chatServerFrameSchema = z.discriminatedUnion("type", [
  ackFrameSchema,
  messageFrameSchema,
  authenticatedFrameSchema,
  errorFrameSchema,
  goawayFrameSchema,
  tokenExpiringFrameSchema,
]);
export type ChatServerFrame = z.infer<typeof chatServerFrameSchema>;

/** Body of `POST /api/chat/conversations`. A buyer names the vendor; a service names both sides. */
export const openConversationSchema = z.strictObject({
  vendorId: vendorIdSchema,
  buyerId: personIdSchema.optional(),
  orderId: orderIdSchema.optional(),
});

/** Body of `POST /api/chat/conversations/{conversationId}/messages`: the commit path of `send-message`, without a socket. */
export const postMessageSchema = z.strictObject({
  clientMessageId: clientMessageIdSchema,
  as: vendorIdSchema.optional(),
  orderId: orderIdSchema.optional(),
  content: chatContentSchema,
});

const positiveInt = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Query of `GET /api/chat/conversations/{conversationId}/messages`. */
export const messagesQuerySchema = z
  .strictObject({
    afterSeq: positiveInt.optional(),
    beforeSeq: positiveInt.optional(),
    limit: z.coerce.number().int().min(1).max(200).default(50),
  })
  .refine((query) => query.afterSeq === undefined || query.beforeSeq === undefined, {
    message: "give afterSeq or beforeSeq, not both",
    path: ["afterSeq"],
  });

export const messagesPageSchema = z.object({
  /** Ascending by `seq`. */
  messages: z.array(chatMessageSchema),
  more: z.boolean(),
});
export type MessagesPage = z.infer<typeof messagesPageSchema>;

export const conversationsPageSchema = z.object({ conversations: z.array(conversationSchema) });

import type { ChatMessage, Conversation } from "@localstreet/contracts/chat";

/** A row of `messages`, by the names of the Prisma schema. */
export interface MessageRow {
  conversationId: string;
  messageId: string;
  seq: number;
  senderId: string;
  side: string;
  content: string;
  orderId: string | null;
  createdAt: Date;
  clientMessageId: string;
}

/** A row of `conversations`, by the names of the Prisma schema. */
export interface ConversationRow {
  conversationId: string;
  buyerId: string;
  vendorId: string;
  orderId: string | null;
  createdAt: Date;
  lastSeq: number;
}

/** The columns of a `MessageRow` in SQL, of the table or alias `m`. */
export const MESSAGE_COLUMNS = `m.conversation_id AS "conversationId", m.id AS "messageId", m.seq,
  m.sender_id AS "senderId", m.side, m.content, m.order_id AS "orderId", m.created_at AS "createdAt",
  m.client_message_id AS "clientMessageId"`;

/** The columns of a `ConversationRow` in SQL. */
export const CONVERSATION_COLUMNS = `id AS "conversationId", buyer_id AS "buyerId", vendor_id AS "vendorId",
  order_id AS "orderId", created_at AS "createdAt", last_seq AS "lastSeq"`;

// Nothing is written but through these packages, so ids that come back are ids.

export function toMessage(row: MessageRow): ChatMessage {
  const { conversationId, messageId, seq, senderId, side, content, orderId, clientMessageId } = row;
  return {
    ...{ conversationId, messageId, seq, senderId, side, content, orderId },
    createdAt: row.createdAt.toISOString(),
    clientMessageId,
  } as ChatMessage;
}

export function toConversation(row: ConversationRow): Conversation {
  const { conversationId, buyerId, vendorId, orderId, lastSeq } = row;
  const createdAt = row.createdAt.toISOString();
  return { conversationId, buyerId, vendorId, orderId, createdAt, lastSeq } as Conversation;
}

import { randomUUID } from "node:crypto";
import type { WebSocket } from "ws";
import type { Liar } from "./liar.ts";
import {
  type ApiAnswer,
  type ApiRequest,
  type Bearer,
  type Frame,
  NOT_FOUND,
  sendFrame,
} from "./wire.ts";

interface Message {
  readonly messageId: string;
  readonly clientMessageId: string;
  readonly seq: number;
  readonly content: string;
  readonly senderId: string;
  readonly side: "buyer" | "vendor";
  readonly createdAt: string;
}

interface Conversation {
  readonly conversationId: string;
  readonly buyerId: string;
  readonly vendorId: string;
  lastSeq: number;
  readonly messages: Message[];
}

/** Conversations and sockets, with the lies that can be told about them. */
export function createLyingChat(
  liar: Liar,
  tellActivity: (vendorId: string, text: string) => void,
) {
  const conversations = new Map<string, Conversation>();
  const sockets = new Map<WebSocket, Bearer>();
  let hidden: Message | undefined;
  let heldBack: { conversation: Conversation; message: Message } | undefined;

  const isOf = ({ role, sub, vendors }: Bearer, { buyerId, vendorId }: Conversation) =>
    role === "buyer" ? sub === buyerId : vendors.includes(vendorId);

  const isHiddenFrom = ({ role }: Bearer, message: Message) =>
    role === "buyer" && message === hidden;

  function conversationFor(bearer: Bearer, frame: Frame): Conversation | undefined {
    if (frame.conversationId !== undefined) return conversations.get(String(frame.conversationId));
    const vendorId = String(frame.to);
    const sides = { buyerId: bearer.sub, vendorId };
    for (const conversation of conversations.values()) {
      if (isOf(bearer, conversation) && conversation.vendorId === vendorId) return conversation;
    }
    const opened = { conversationId: randomUUID(), ...sides, lastSeq: 0, messages: [] };
    conversations.set(opened.conversationId, opened);
    return opened;
  }

  function push(conversation: Conversation, message: Message, except?: WebSocket): void {
    const { conversationId } = conversation;
    const frame = { type: "message", conversationId, orderId: null, ...message };
    for (const [socket, bearer] of sockets) {
      if (socket === except) continue;
      if (!isOf(bearer, conversation)) {
        if (liar.once("sends a message to a stranger", 9)) sendFrame(socket, frame);
        continue;
      }
      if (isHiddenFrom(bearer, message)) continue;
      if (liar.once("does not push a message to one device", 9)) continue;
      sendFrame(socket, frame);
      if (liar.once("pushes a message twice", 9)) sendFrame(socket, frame);
      if (liar.once("pushes a message again under the next number", 9)) {
        conversation.lastSeq += 1;
        sendFrame(socket, { ...frame, seq: conversation.lastSeq });
      }
    }
  }

  function takeMessage(socket: WebSocket, bearer: Bearer, frame: Frame): void {
    const conversation = conversationFor(bearer, frame);
    if (!conversation || !isOf(bearer, conversation)) {
      const refusal = { code: "not-found", message: "not found", retryable: false };
      sendFrame(socket, { type: "error", ...refusal, ...(frame.ref ? { ref: frame.ref } : {}) });
      return;
    }
    const { conversationId, vendorId } = conversation;
    const content = String(frame.content);
    const clientMessageId = String(frame.clientMessageId);
    const known = conversation.messages.find((one) => one.clientMessageId === clientMessageId);
    if (!known && liar.once("leaves a number out", 6)) conversation.lastSeq += 1;
    if (!known && !liar.once("gives a number twice", 6)) conversation.lastSeq += 1;
    const seq = conversation.lastSeq;
    const message: Message = known ?? {
      messageId: randomUUID(),
      clientMessageId,
      seq,
      content,
      senderId: bearer.sub,
      side: bearer.role === "buyer" ? "buyer" : "vendor",
      createdAt: new Date().toISOString(),
    };
    const { messageId } = message;
    const ack = { type: "ack", conversationId, clientMessageId, messageId, seq: message.seq };
    const reply = { ...ack, createdAt: message.createdAt, duplicate: known !== undefined };
    sendFrame(socket, { ...reply, ...(frame.ref ? { ref: frame.ref } : {}) });
    if (known) return;
    if (liar.once("acknowledges a message before it is stored, and loses it", 6)) return;
    if (!liar.once("delivers a message that it does not store", 6)) {
      conversation.messages.push(message);
    }
    if (liar.once("says that a history is whole and leaves a message out", 6)) hidden = message;
    tellActivity(vendorId, content);
    const before = heldBack;
    if (liar.once("pushes two messages in the wrong order", 6))
      heldBack = { conversation, message };
    else push(conversation, message, socket);
    if (before?.conversation === conversation) {
      heldBack = undefined;
      push(conversation, before.message);
    }
  }

  return {
    takeMessage,
    join: (socket: WebSocket, bearer: Bearer) => void sockets.set(socket, bearer),
    leave: (socket: WebSocket) => void sockets.delete(socket),
    list({ bearer }: ApiRequest): ApiAnswer {
      const mine = [...conversations.values()].filter((one) => isOf(bearer, one));
      return { status: 200, body: { conversations: mine } };
    },
    history({ bearer, path, query }: ApiRequest): ApiAnswer {
      const conversation = conversations.get(path[2] ?? "");
      if (!conversation || !isOf(bearer, conversation)) return NOT_FOUND;
      const afterSeq = Number(query.get("afterSeq") ?? 0);
      const messages = conversation.messages
        .filter((message) => message.seq > afterSeq && !isHiddenFrom(bearer, message))
        .map((message) => ({ conversationId: conversation.conversationId, ...message }));
      return { status: 200, body: { messages, more: false } };
    },
  };
}

import {
  messagesQuerySchema,
  openConversationSchema,
  postMessageSchema,
} from "@localstreet/contracts/chat";
import { conversationIdSchema } from "@localstreet/contracts/ids";
import { Problem } from "@localstreet/contracts/problem";
import type { ChatStore } from "@localstreet/db/chat-store";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { requireToken, type SharedRate } from "@localstreet/service-kit/shared-rate";
import { z } from "zod";
import type { ChatConfig } from "./config.ts";
import type { Membership } from "./membership.ts";
import type { SendMessage } from "./send-message.ts";

const paramsSchema = z.object({ conversationId: conversationIdSchema });

/** Conversations and their messages over HTTP (PROTOCOL.md C7, C8). */
export function registerHistoryRoutes(
  { http, authenticator, config }: ServiceKit<ChatConfig>,
  parts: {
    store: ChatStore;
    membership: Membership;
    sendMessage: SendMessage;
    conversationsRate: SharedRate;
  },
): void {
  const { store, membership, sendMessage, conversationsRate } = parts;

  http.post("/api/chat/conversations", async (request, reply) => {
    const principal = await authenticator.authenticate(request, "buyer", "service", "vendor");
    const { vendorId, orderId, ...body } = parseRequest(
      openConversationSchema,
      request.body,
      "The body",
    );
    if (principal.role === "vendor") {
      throw new Problem("forbidden", "A vendor answers in a conversation that a buyer opened");
    }
    const buyerId = body.buyerId ?? (principal.role === "buyer" ? principal.personId : undefined);
    if (buyerId === undefined) {
      throw new Problem("invalid-request", "A service names the buyer too");
    }
    if (principal.role === "buyer" && buyerId !== principal.personId) {
      throw new Problem("not-found");
    }
    if (principal.role === "buyer") await requireToken(conversationsRate, buyerId);
    const opened = await store.openConversation({ buyerId, vendorId, orderId });
    return reply.code(opened.isNew ? 201 : 200).send(opened.conversation);
  });

  http.get("/api/chat/conversations", async (request, reply) => {
    const principal = await authenticator.authenticate(request, "buyer", "vendor");
    const conversations = await store.conversationsOf(
      principal.role === "buyer"
        ? { buyerId: principal.personId }
        : { vendorIds: [...principal.vendors] },
      config.CONVERSATIONS_LISTED,
    );
    return reply.header("cache-control", "no-store").send({ conversations });
  });

  http.get("/api/chat/conversations/:conversationId/messages", async (request, reply) => {
    const principal = await authenticator.authenticate(request, "buyer", "vendor");
    const { conversationId } = parseRequest(paramsSchema, request.params, "The path");
    const query = parseRequest(messagesQuerySchema, request.query, "The query");
    await membership.requireSide(principal, conversationId);
    const page = await store.messages(conversationId, query);
    return reply.header("cache-control", "no-store").send(page);
  });

  http.post("/api/chat/conversations/:conversationId/messages", async (request, reply) => {
    const principal = await authenticator.authenticate(request, "buyer", "vendor");
    const { conversationId } = parseRequest(paramsSchema, request.params, "The path");
    const body = parseRequest(postMessageSchema, request.body, "The body");
    const ack = await sendMessage(principal, { ...body, conversationId }, null);
    return reply.code(ack.duplicate ? 200 : 201).send(ack);
  });
}

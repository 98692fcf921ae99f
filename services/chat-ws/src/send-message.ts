import type { AckFrame, SendMessageFrame } from "@localstreet/contracts/chat";
import { Problem } from "@localstreet/contracts/problem";
import type { Principal } from "@localstreet/service-kit/auth";
import { requireToken, type SharedRate } from "@localstreet/service-kit/shared-rate";
import type { GroupCommit } from "./group-commit.ts";
import type { Membership } from "./membership.ts";

/** `send-message` without what belongs to the socket. */
export type MessageRequest = Omit<SendMessageFrame, "type" | "ref">;

/** The fields of `ack` that do not belong to the socket. */
export type Ack = Omit<AckFrame, "type" | "ref">;

/**
 * One way in for messages from sockets and from HTTP: rate (PROTOCOL.md C10), right (A6), commit (C2).
 *
 * @param sessionId the socket that sends: the one device that gets no push of the message.
 */
export type SendMessage = (
  principal: Principal,
  request: MessageRequest,
  sessionId: string | null,
) => Promise<Ack>;

export function createSendMessage(options: {
  rate: SharedRate;
  membership: Membership;
  groupCommit: GroupCommit;
}): SendMessage {
  const { rate, membership, groupCommit } = options;

  /** A buyer may name the vendor instead of the conversation. */
  async function findSide(principal: Principal, { conversationId, to, orderId }: MessageRequest) {
    if (conversationId !== undefined) {
      return await membership.requireSide(principal, conversationId);
    }
    if (to === undefined) throw new Problem("invalid-request");
    if (principal.role !== "buyer") {
      throw new Problem("forbidden", "A vendor answers in a conversation that a buyer opened");
    }
    const sides = await membership.openWith(principal, to, orderId);
    return { sides, side: "buyer" as const };
  }

  return async (principal, request, sessionId) => {
    await requireToken(rate, principal.personId);
    const { sides, side } = await findSide(principal, request);
    if (request.as !== undefined && (side !== "vendor" || request.as !== sides.vendorId)) {
      throw new Problem("not-found");
    }
    const { status, message } = await groupCommit.commit(
      {
        conversationId: sides.conversationId,
        senderId: principal.personId,
        side,
        content: request.content,
        orderId: request.orderId ?? null,
        clientMessageId: request.clientMessageId,
      },
      { sides, sessionId },
    );
    const { clientMessageId, conversationId, messageId, seq, createdAt } = message;
    const duplicate = status === "duplicate";
    return { clientMessageId, conversationId, messageId, seq, createdAt, duplicate };
  };
}

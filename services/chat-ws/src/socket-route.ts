import { type ChatClientFrame, chatClientFrameSchema } from "@localstreet/contracts/chat";
import { type Party, partyKey } from "@localstreet/contracts/subjects";
import type { Principal } from "@localstreet/service-kit/auth";
import type { ConnectionLeases } from "@localstreet/service-kit/connection-leases";
import type { ServiceKit } from "@localstreet/service-kit/service";
import type { SharedRate } from "@localstreet/service-kit/shared-rate";
import { registerSocketRoute, type SocketRoute } from "@localstreet/service-kit/ws-session";
import type { ChatFeed, ChatListener } from "./chat-feed.ts";
import type { ChatConfig } from "./config.ts";
import type { SendMessage } from "./send-message.ts";

interface SessionData {
  parties: readonly Party[];
  readonly listener: ChatListener;
}

/** `GET /api/chat/ws` (PROTOCOL.md C1 to C3). */
export async function registerChatSocket(
  kit: ServiceKit<ChatConfig>,
  {
    feed,
    leases,
    openings,
    sendMessage,
  }: {
    feed: ChatFeed;
    leases: ConnectionLeases;
    openings: SharedRate;
    sendMessage: SendMessage;
  },
): Promise<SocketRoute> {
  return await registerSocketRoute<ChatClientFrame, SessionData>(kit, {
    path: "/api/chat/ws",
    leases,
    openings,
    roles: ["buyer", "vendor"],
    frameSchema: chatClientFrameSchema,
    onOpen(session) {
      const parties = partiesOf(session.principal);
      for (const party of parties) feed.join(session, party);
      return { parties, listener: session };
    },
    async onFrame(session, { ref, type: _, ...request }) {
      const ack = await sendMessage(session.principal, request, session.sessionId);
      session.send({ type: "ack", ...(ref === undefined ? {} : { ref }), ...ack });
    },
    onRenew({ data, principal }) {
      // The new ones first: what both have in common stays followed.
      const parties = partiesOf(principal);
      const kept = new Set(parties.map(partyKey));
      for (const party of parties) feed.join(data.listener, party);
      for (const party of data.parties) {
        if (!kept.has(partyKey(party))) feed.leave(data.listener, party);
      }
      data.parties = parties;
    },
    onClose({ data }) {
      for (const party of data.parties) feed.leave(data.listener, party);
    },
  });
}

/** Whose messages a principal gets: a buyer's own, or those of every vendor that the member of staff acts for. */
function partiesOf(principal: Principal): Party[] {
  if (principal.role === "buyer") return [{ kind: "buyer", buyerId: principal.personId }];
  return [...principal.vendors].map((vendorId) => ({ kind: "vendor", vendorId }));
}

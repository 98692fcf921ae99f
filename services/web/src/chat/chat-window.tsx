import type { ChatSide, Conversation } from "@localstreet/contracts/chat";
import type { PersonId, VendorId } from "@localstreet/contracts/ids";
import { useEffect, useId } from "react";
import { ConnectionChip, explainRefusal } from "../connection-chip.tsx";
import type { ChatSession, ChatState, ChatTarget } from "./chat-session.ts";
import { Composer } from "./composer.tsx";
import { MessageList } from "./message-list.tsx";

/** One side's view of the conversation between a buyer and a vendor. */
export function ChatWindow(props: {
  side: Exclude<ChatSide, "system">;
  ownName: string;
  otherName: string;
  /** The other one of the two is `null` when nobody is picked on that side. */
  buyerId: PersonId | null;
  vendorId: VendorId | null;
  chat: ChatState;
  session: ChatSession | null;
  onDraft(drafting: boolean): void;
}) {
  const { side, ownName, otherName, buyerId, vendorId, chat, session, onDraft } = props;
  const titleId = useId();
  const conversation = findConversation(chat, buyerId, vendorId);
  const conversationId = conversation?.conversationId;
  useEffect(() => {
    if (conversationId) session?.openThread(conversationId);
  }, [session, conversationId]);

  const target: ChatTarget | null = conversationId
    ? { conversationId }
    : side === "buyer" && vendorId && chat.conversations
      ? { to: vendorId }
      : null;
  const outgoing = chat.outgoing.filter(({ target: to }) =>
    "to" in to ? to.to === vendorId : to.conversationId === conversationId,
  );
  return (
    <section className={`panel chat chat-${side}`} aria-labelledby={titleId}>
      <header className="panel-head">
        <span className="avatar" aria-hidden="true">
          {initials(ownName)}
        </span>
        <div className="panel-title">
          <h2 id={titleId}>{ownName}</h2>
          <p>
            {side === "buyer" ? "buyer" : "vendor"}, to {otherName}
          </p>
        </div>
        <ConnectionChip
          state={chat.connection}
          of={`Chat of ${ownName}`}
          unreadable={chat.unreadable}
        />
      </header>
      <MessageList
        side={side}
        otherName={otherName}
        messages={(conversationId && chat.threads.get(conversationId)?.messages) || []}
        outgoing={outgoing}
        connected={chat.connection.phase === "open"}
        note={explainSilence(chat, conversation, side)}
        onDiscard={(clientMessageId) => session?.discard(clientMessageId)}
      />
      <Composer
        // What was written to one person is not sent to another.
        key={`${vendorId} ${buyerId}`}
        label={`Message from ${ownName} to ${otherName}`}
        disabled={!target || !session || chat.connection.phase === "refused"}
        onSend={(content) => target && session?.send(target, content)}
        onDraft={onDraft}
      />
    </section>
  );
}

function findConversation(
  { conversations }: ChatState,
  buyerId: PersonId | null,
  vendorId: VendorId | null,
): Conversation | undefined {
  return conversations?.find((it) => it.buyerId === buyerId && it.vendorId === vendorId);
}

/** What stands in an empty window, or above a thread that could not be fetched. */
function explainSilence(
  chat: ChatState,
  conversation: Conversation | undefined,
  side: ChatSide,
): string | null {
  if (chat.connection.phase === "refused")
    return `No chat: ${explainRefusal(chat.connection.code)}.`;
  if (chat.historyMissing) return "The history could not be fetched. Trying again…";
  if (!chat.conversations) return "Fetching the conversation…";
  if (conversation) {
    return chat.threads.has(conversation.conversationId) ? null : "Fetching the conversation…";
  }
  return side === "buyer"
    ? "No messages yet. Write the first one."
    : "This buyer has not written yet. A conversation begins with the buyer.";
}

function initials(name: string): string {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  return words
    .slice(0, 2)
    .map((word) => [...word][0]?.toUpperCase())
    .join("");
}

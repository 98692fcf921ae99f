import type { ChatMessage, Conversation, MessagesPage } from "@localstreet/contracts/chat";
import { codeOf, type Identity, type Target } from "./target.ts";

const PAGE = 200;

/** The caller's conversations, newest first; the platform lists the newest only (PROTOCOL.md C8). */
export async function listConversations(target: Target, as: Identity): Promise<Conversation[]> {
  const answer = await target.request({ method: "GET", path: "/api/chat/conversations", as });
  if (answer.status !== 200) throw new HistoryError(codeOf(answer));
  return (answer.body as { conversations: Conversation[] }).conversations;
}

/**
 * All messages of a conversation after `afterSeq`, ascending, page by page.
 *
 * @throws {HistoryError} when the platform refuses.
 */
export async function* readMessages(
  target: Target,
  as: Identity,
  conversationId: string,
  afterSeq: number,
): AsyncGenerator<ChatMessage> {
  let lastSeq = afterSeq;
  for (;;) {
    const path = `/api/chat/conversations/${conversationId}/messages?afterSeq=${lastSeq}&limit=${PAGE}`;
    const answer = await target.request({ method: "GET", path, as });
    if (answer.status !== 200) throw new HistoryError(codeOf(answer));
    const { messages, more } = answer.body as MessagesPage;
    yield* messages;
    const newest = messages.at(-1)?.seq ?? lastSeq;
    // A page that promises more and brings nothing would be asked for without end.
    if (!more || newest <= lastSeq) return;
    lastSeq = newest;
  }
}

export class HistoryError extends Error {
  override readonly name = "HistoryError";
  readonly code: string;

  constructor(code: string) {
    super(`the history was refused: ${code}`);
    this.code = code;
  }
}

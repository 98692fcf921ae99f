import type { ConnectionState } from "@localstreet/client/connection-state";
import { openSocket, type PushFrame, SocketError } from "@localstreet/client/socket";
import {
  type ChatSide,
  type Conversation,
  chatMessageSchema,
  conversationSchema,
  conversationsPageSchema,
  messagesPageSchema,
} from "@localstreet/contracts/chat";
import type { ClientMessageId, ConversationId, VendorId } from "@localstreet/contracts/ids";
import { raise } from "@localstreet/contracts/raise";
import { fetchJson, type PageToken } from "../fetch-json.ts";
import { randomId } from "../random-id.ts";
import { readableRows } from "../readable-rows.ts";
import type { Session } from "../session.ts";
import { createStore } from "../store.ts";
import { hasHole, lastWholeSeq, mergeMessages, type Thread } from "./thread.ts";

/** The conversation, or the vendor that a buyer opens one with by writing. */
export type ChatTarget = { readonly conversationId: ConversationId } | { readonly to: VendorId };

/** A message that the server has not acknowledged. `refused` is why it never will; else it is sent until it is. */
export interface Outgoing {
  readonly clientMessageId: ClientMessageId;
  readonly target: ChatTarget;
  readonly content: string;
  readonly refused: string | null;
}

export interface ChatState {
  readonly connection: ConnectionState;
  /** `null` until they were fetched. */
  readonly conversations: readonly Conversation[] | null;
  readonly threads: ReadonlyMap<ConversationId, Thread>;
  readonly outgoing: readonly Outgoing[];
  /** The conversation of the newest message. */
  readonly newestId: ConversationId | null;
  /** The history could not be fetched; it is tried again. */
  readonly historyMissing: boolean;
  /** Frames, messages and conversations that could not be read. */
  readonly unreadable: number;
}

export const NO_CHAT: ChatState = {
  connection: { phase: "connecting" },
  conversations: null,
  threads: new Map(),
  outgoing: [],
  newestId: null,
  historyMissing: false,
  unreadable: 0,
};

const readableConversations = conversationsPageSchema.extend({
  conversations: readableRows(conversationSchema),
});
const readableMessages = messagesPageSchema.extend({ messages: readableRows(chatMessageSchema) });

export interface ChatSession extends Session<ChatState> {
  /** Fetches the newest messages of a conversation and keeps them whole from now on. */
  openThread(conversationId: ConversationId): void;
  send(target: ChatTarget, content: string): void;
  discard(clientMessageId: ClientMessageId): void;
}

/** Messages that an opened thread begins with. */
const HISTORY = 50;
const RETRY_MS = 3_000;

/** One person's chats on one connection (PROTOCOL.md C1 to C9). */
export function openChat(options: { token: PageToken; side: ChatSide }): ChatSession {
  const { token, side } = options;
  const store = createStore<ChatState>(NO_CHAT);
  const update = (change: Partial<ChatState>) => store.set({ ...store.get(), ...change });
  const closing = new AbortController();
  const opened = new Set<ConversationId>();
  const sending = new Set<ClientMessageId>();
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let catchingUp = false;
  let catchUpAgain = false;
  let unreadableFrames = 0;

  const get = <S extends Parameters<typeof fetchJson>[1]>(path: string, schema: S) =>
    fetchJson(`/api/chat/conversations${path}`, schema, {
      token,
      signal: closing.signal,
    });

  async function fetchMissing(): Promise<void> {
    const page = await get("", readableConversations);
    const { rows: conversations } = page.conversations;
    const withMessages = conversations.find(({ lastSeq }) => lastSeq > 0);
    const newestId = store.get().newestId ?? withMessages?.conversationId ?? null;
    update({ conversations, newestId });
    let unreadable = page.conversations.unreadable.length;
    for (const conversationId of opened) {
      const listed = conversations.find((it) => it.conversationId === conversationId);
      unreadable += await fetchThread(conversationId, listed?.lastSeq ?? 0);
    }
    update({ unreadable: unreadableFrames + unreadable });
  }

  /** @returns how many of its messages could not be read. */
  async function fetchThread(conversationId: ConversationId, lastSeq: number): Promise<number> {
    const thread = (): Thread =>
      store.get().threads.get(conversationId) ?? {
        afterSeq: Math.max(0, lastSeq - HISTORY),
        messages: [],
      };
    let unreadable = 0;
    let afterSeq = lastWholeSeq(thread());
    for (;;) {
      const { messages, more } = await get(
        `/${conversationId}/messages?afterSeq=${afterSeq}&limit=200`,
        readableMessages,
      );
      setThread(conversationId, mergeMessages(thread(), messages.rows));
      unreadable += messages.unreadable.length;
      // Behind a message that cannot be read the others are fetched all the same.
      const readTo = unreadable === 0 ? lastWholeSeq(thread()) : messages.rows.at(-1)?.seq;
      if (!more || readTo === undefined || readTo <= afterSeq) return unreadable;
      afterSeq = readTo;
    }
  }

  function setThread(conversationId: ConversationId, thread: Thread): void {
    update({ threads: new Map(store.get().threads).set(conversationId, thread) });
  }

  /** Fetches until nothing that was asked for meanwhile is missing; tries again later when it fails. */
  function catchUp(): void {
    clearTimeout(retryTimer);
    retryTimer = undefined;
    if (catchingUp) {
      catchUpAgain = true;
      return;
    }
    catchingUp = true;
    catchUpAgain = false;
    fetchMissing()
      .then(
        () => update({ historyMissing: false }),
        () => {
          if (closing.signal.aborted) return;
          update({ historyMissing: true });
          retryTimer = setTimeout(catchUp, RETRY_MS);
        },
      )
      .finally(() => {
        catchingUp = false;
        if (catchUpAgain) catchUp();
      });
  }

  function receive(frame: PushFrame): void {
    if (frame.type !== "message") return;
    const { threads, conversations } = store.get();
    update({ newestId: frame.conversationId });
    const thread = threads.get(frame.conversationId);
    if (thread) {
      const merged = mergeMessages(thread, [frame]);
      setThread(frame.conversationId, merged);
      if (hasHole(merged)) catchUp();
    } else if (
      opened.has(frame.conversationId) ||
      !conversations?.some((it) => it.conversationId === frame.conversationId)
    ) {
      // It is being fetched, and the answer may be older than this message; or it is new to us.
      catchUp();
    }
  }

  async function sendOut({ clientMessageId, target, content }: Outgoing): Promise<void> {
    if (sending.has(clientMessageId) || socket.state.phase !== "open") return;
    sending.add(clientMessageId);
    try {
      const ack = await socket.send({ type: "send-message", clientMessageId, content, ...target });
      const { conversationId, messageId, seq, createdAt } = ack;
      const thread = store.get().threads.get(conversationId);
      if (thread) {
        const message = { messageId, seq, side, content, createdAt, clientMessageId };
        setThread(conversationId, mergeMessages(thread, [message]));
      } else {
        openThread(conversationId);
      }
      discard(clientMessageId);
    } catch (error) {
      if (closing.signal.aborted) return;
      if (error instanceof SocketError && error.retryable) {
        // The same id again is the same message (C5). A connection that was lost resends when it is back.
        setTimeout(resend, error.retryAfterMs ?? RETRY_MS);
      } else {
        const refused = error instanceof Error ? error.message : String(error);
        const mark = (it: Outgoing) =>
          it.clientMessageId === clientMessageId ? { ...it, refused } : it;
        update({ outgoing: store.get().outgoing.map(mark) });
      }
    } finally {
      sending.delete(clientMessageId);
    }
  }

  function resend(): void {
    for (const message of store.get().outgoing)
      if (message.refused === null) sendOut(message).catch(raise);
  }

  function openThread(conversationId: ConversationId): void {
    if (opened.has(conversationId)) return;
    opened.add(conversationId);
    catchUp();
  }

  function discard(clientMessageId: ClientMessageId): void {
    const { outgoing } = store.get();
    update({ outgoing: outgoing.filter((it) => it.clientMessageId !== clientMessageId) });
  }

  const socket = openSocket({
    url: new URL("/api/chat/ws", location.href.replace(/^http/, "ws")).href,
    token,
    onFrame: receive,
    onUnreadable() {
      unreadableFrames += 1;
      update({ unreadable: store.get().unreadable + 1 });
      // It may have been a message: the history has it. Many in a row are fetched at once.
      if (!catchingUp && retryTimer === undefined) retryTimer = setTimeout(catchUp, RETRY_MS);
    },
    onState(connection) {
      update({ connection });
      if (connection.phase !== "open") return;
      catchUp();
      resend();
    },
  });

  return {
    store,
    openThread,
    discard,
    send(target, content) {
      const clientMessageId = randomId() as ClientMessageId;
      const message: Outgoing = { clientMessageId, target, content, refused: null };
      update({ outgoing: [...store.get().outgoing, message] });
      sendOut(message).catch(raise);
    },
    close() {
      closing.abort();
      clearTimeout(retryTimer);
      socket.close();
    },
  };
}

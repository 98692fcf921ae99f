import type { Bus } from "@localstreet/bus/connection";
import type { ChatMessage } from "@localstreet/contracts/chat";
import type { ConversationId, MessageId } from "@localstreet/contracts/ids";
import { liveChatSubject, type Party, partyKey } from "@localstreet/contracts/subjects";
import type { ChatStore } from "@localstreet/db/chat-store";
import { createAudience } from "@localstreet/fanout/audience";
import { encodeTextFrame } from "@localstreet/fanout/ws-connection";
import type { Logger } from "@localstreet/service-kit/logger";
import type { SocketSession } from "@localstreet/service-kit/ws-session";
import { LRUCache } from "lru-cache";
import { parseChatSignal } from "./chat-signal.ts";
import { ConversationOrder } from "./conversation-order.ts";
import { type Sides, sideOf } from "./membership.ts";

/** The part of a socket that messages are delivered to. */
export type ChatListener = Pick<SocketSession<unknown>, "sessionId" | "connection" | "principal">;

/** Messages on their way to the sockets of this replica (PROTOCOL.md C3, C4, C9). */
export interface ChatFeed {
  /** Remembers who sent a message that this replica committed: that device needs no push of it, whatever brings it. */
  noteOrigin(messageId: MessageId, sessionId: string): void;
  join(listener: ChatListener, party: Party): void;
  leave(listener: ChatListener, party: Party): void;
  /**
   * Delivers what no signal told of.
   *
   * @throws {DatabaseUnavailableError}
   */
  catchUp(): Promise<void>;
  stats(): { delivered: number; healed: number; catchUps: number };
  close(): void;
}

interface Delivery {
  readonly message: ChatMessage;
  readonly origin: string | null;
}

/** A conversation with a side that is connected here. */
interface Followed {
  readonly sides: Sides;
  readonly order: ConversationOrder<Delivery>;
  /** Where its order begins when `seq` does not say: with the first message after this, by `performance.now()`. */
  readonly beginsAtMs: number;
}

/** Messages of a conversation that wait for one before them; further ones are read from the table. */
const HELD_MAX = 200;
const READ_LIMIT = 200;
/** Messages whose senders are remembered, for as long as a catch-up may still bring them. */
const ORIGINS_MAX = 10_000;
/** Conversations that are read in one statement. */
const READ_CONVERSATIONS = 100;

/**
 * Live signals are at most once, so they only say sooner what the table says: signals in order are delivered at once, and
 * wherever one is missing the table is read. `catchUp` finds what no signal told of.
 *
 * What counts as delivered for a socket that has just connected: everything up to the last catch-up before it. It misses
 * nothing later, and may see again what is at most one catch-up old; clients know a message by its `seq`.
 */
export function openChatFeed(options: {
  bus: Bus;
  store: Pick<ChatStore, "messagesOf" | "movedWithin">;
  reorderMs: number;
  /** How far back `catchUp` looks beyond its last run, in milliseconds: longer than any commit. */
  overlapMs: number;
  logger: Logger;
}): ChatFeed {
  const { bus, store, reorderMs, overlapMs, logger } = options;
  const followed = new Map<ConversationId, Followed>();
  const subscriptions = new Map<string, { unsubscribe(): void }>();
  const origins = new LRUCache<MessageId, string>({ max: ORIGINS_MAX });
  const audience = createAudience<string, ChatListener>({
    onLast(key) {
      subscriptions.get(key)?.unsubscribe();
      subscriptions.delete(key);
    },
  });
  /** `lastSeq` of what had moved at the last catch-up. */
  let recent = new Map<ConversationId, number>();
  let caughtUpAtMs = performance.now();
  const behind = new Set<Followed>();
  let reading: Promise<void> | undefined;
  let isClosed = false;
  let delivered = 0;
  let healed = 0;
  let catchUps = 0;

  function isConnected({ buyerId, vendorId }: Sides): boolean {
    return (
      audience.has(partyKey({ kind: "buyer", buyerId })) ||
      audience.has(partyKey({ kind: "vendor", vendorId }))
    );
  }

  function follow(sides: Sides): Followed {
    const { conversationId } = sides;
    const known = followed.get(conversationId);
    if (known) return known;
    const order = new ConversationOrder<Delivery>(recent.get(conversationId) ?? null);
    const added = { sides, order, beginsAtMs: caughtUpAtMs - overlapMs };
    followed.set(conversationId, added);
    return added;
  }

  function onSignal(data: Uint8Array): void {
    const signal = parseChatSignal(data);
    if (!signal) {
      logger.warn("a chat signal was not understood");
      return;
    }
    const { message, origin, buyerId, vendorId } = signal;
    const entry = follow({ conversationId: message.conversationId, buyerId, vendorId });
    const { order } = entry;
    if (message.seq === 1) deliver(entry, order.startAt(0));
    // What is not held is read from the table with the one that is missing.
    if (order.heldCount < HELD_MAX) deliver(entry, order.accept(message.seq, { message, origin }));
    if (order.cursor === null) readSoon(entry);
    else if (order.heldCount > 0) {
      setTimeout(() => order.heldCount > 0 && readSoon(entry), reorderMs);
    }
  }

  function deliver({ sides }: Followed, due: readonly Delivery[]): void {
    const { buyerId, vendorId } = sides;
    for (const { message, origin } of due) {
      const frame = encodeTextFrame(JSON.stringify({ type: "message", ...message }));
      for (const party of [
        { kind: "buyer", buyerId },
        { kind: "vendor", vendorId },
      ] as const) {
        for (const { sessionId, principal, connection } of audience.of(partyKey(party))) {
          // The rights of staff may have changed with a new token.
          if (sessionId === origin || !sideOf(principal, sides)) continue;
          connection.send(frame);
          delivered += 1;
        }
      }
    }
  }

  function readSoon(entry: Followed): void {
    behind.add(entry);
    reading ??= readBehind()
      .catch((error) => logger.error({ err: error }, "messages could not be delivered"))
      .finally(() => {
        reading = undefined;
      });
  }

  /** All conversations that are behind, in one statement, until none is. What fails is left to the next catch-up. */
  async function readBehind(): Promise<void> {
    while (behind.size > 0 && !isClosed) {
      const entries = [...behind].slice(0, READ_CONVERSATIONS);
      for (const entry of entries) behind.delete(entry);
      const nowMs = performance.now();
      const wanted = entries.map(({ sides: { conversationId }, order, beginsAtMs }) => ({
        conversationId,
        afterSeq: order.cursor ?? 0,
        withinMs: order.cursor === null ? nowMs - beginsAtMs : null,
      }));
      let messages: ChatMessage[];
      try {
        messages = await store.messagesOf(wanted, READ_LIMIT);
      } catch (error) {
        logger.warn({ err: error }, "messages could not be read, the next catch-up tries again");
        for (const entry of entries) behind.add(entry);
        return;
      }
      const read = new Map<ConversationId, ChatMessage[]>();
      for (const message of messages) {
        const found = read.get(message.conversationId);
        if (found) found.push(message);
        else read.set(message.conversationId, [message]);
      }
      for (const entry of entries) {
        const found = read.get(entry.sides.conversationId) ?? [];
        heal(entry, found);
        if (found.length === READ_LIMIT) behind.add(entry);
      }
    }
  }

  function heal(entry: Followed, messages: readonly ChatMessage[]): void {
    const { order } = entry;
    const first = messages[0]?.seq ?? order.firstHeld;
    if (first !== null) deliver(entry, order.startAt(first - 1));
    for (const message of messages) {
      const origin = origins.get(message.messageId) ?? null;
      const due = order.accept(message.seq, { message, origin });
      healed += due.length;
      deliver(entry, due);
    }
  }

  return {
    noteOrigin(messageId, sessionId) {
      origins.set(messageId, sessionId);
    },
    join(listener, party) {
      const key = partyKey(party);
      audience.join(key, listener);
      if (subscriptions.has(key)) return;
      subscriptions.set(
        key,
        bus.subscribe(liveChatSubject(party), ({ data }) => onSignal(data)),
      );
    },
    leave(listener, party) {
      audience.leave(partyKey(party), listener);
    },
    async catchUp() {
      const startedAtMs = performance.now();
      const moved = await store.movedWithin(startedAtMs - caughtUpAtMs + overlapMs);
      const movedNow = new Map(
        moved.map(({ conversationId, lastSeq }) => [conversationId, lastSeq]),
      );
      for (const [conversationId, { sides, order }] of followed) {
        const isQuiet = !movedNow.has(conversationId) && order.heldCount === 0;
        if (isQuiet || !isConnected(sides)) followed.delete(conversationId);
      }
      for (const { lastSeq, ...sides } of moved) {
        if (!isConnected(sides)) continue;
        const entry = follow(sides);
        if (entry.order.cursor === null || entry.order.cursor < lastSeq) behind.add(entry);
      }
      recent = movedNow;
      caughtUpAtMs = startedAtMs;
      const [any] = behind;
      if (any) readSoon(any);
      await reading;
      catchUps += 1;
    },
    stats: () => ({ delivered, healed, catchUps }),
    close() {
      isClosed = true;
      for (const { unsubscribe } of subscriptions.values()) unsubscribe();
    },
  };
}

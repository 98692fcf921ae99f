import type { ChatMessage, Conversation, MessagesPage } from "@localstreet/contracts/chat";
import type { ConversationId, OrderId, PersonId, VendorId } from "@localstreet/contracts/ids";
import { type CommitOutcome, commitBatch, type NewMessage } from "./chat-commit.ts";
import {
  CONVERSATION_COLUMNS,
  type ConversationRow,
  MESSAGE_COLUMNS,
  type MessageRow,
  toConversation,
  toMessage,
} from "./chat-rows.ts";
import { toDatabaseError } from "./database-error.ts";
import type { Pool } from "./pool.ts";
import { createPrismaClient, readWithPrisma } from "./prisma-client.ts";
import { randomId } from "./random-id.ts";

export type { CommitOutcome, NewMessage } from "./chat-commit.ts";

export interface MovedConversation {
  readonly conversationId: ConversationId;
  readonly buyerId: PersonId;
  readonly vendorId: VendorId;
  readonly lastSeq: number;
}

/** Which messages of a conversation are wanted: those after `afterSeq`, and if given, no older than `withinMs`. */
export interface WantedMessages {
  readonly conversationId: ConversationId;
  readonly afterSeq: number;
  readonly withinMs: number | null;
}

/** The tables of chat. Every method throws `DatabaseUnavailableError` when Postgres cannot answer. */
export interface ChatStore {
  commitBatch(messages: readonly NewMessage[]): Promise<CommitOutcome[]>;
  /** The conversation of a buyer and a vendor, opened when there is none. `orderId` counts only then. */
  openConversation(options: {
    buyerId: PersonId;
    vendorId: VendorId;
    orderId?: OrderId | undefined;
  }): Promise<{ conversation: Conversation; isNew: boolean }>;
  conversation(conversationId: ConversationId): Promise<Conversation | null>;
  /** The newest `limit` conversations of a buyer or of any of the vendors, the one that moved last first. */
  conversationsOf(
    owner: { buyerId: PersonId } | { vendorIds: readonly VendorId[] },
    limit: number,
  ): Promise<Conversation[]>;
  /** Ascending by `seq`: those next after `afterSeq`, or the last before `beforeSeq`, or the newest of all. */
  messages(
    conversationId: ConversationId,
    page: { afterSeq?: number | undefined; beforeSeq?: number | undefined; limit: number },
  ): Promise<MessagesPage>;
  /** Conversations with a message of the last `withinMs` milliseconds, by the clock of Postgres. */
  movedWithin(withinMs: number): Promise<MovedConversation[]>;
  /** The first `limitEach` wanted messages of each conversation, ascending by `seq`. */
  messagesOf(wanted: readonly WantedMessages[], limitEach: number): Promise<ChatMessage[]>;
}

/** `seq` is an `integer` of Postgres; a client may ask for numbers past it. */
const SEQ_MAX = 2 ** 31 - 1;

const OPEN = {
  name: "chat-open",
  text: `INSERT INTO conversations (id, buyer_id, vendor_id, order_id) VALUES ($1, $2, $3, $4)
    ON CONFLICT (buyer_id, vendor_id) DO NOTHING RETURNING ${CONVERSATION_COLUMNS}`,
};

const FIND_BY_SIDES = {
  name: "chat-find-by-sides",
  text: `SELECT ${CONVERSATION_COLUMNS} FROM conversations WHERE buyer_id = $1 AND vendor_id = $2`,
};

const MOVED = {
  name: "chat-moved",
  text: `SELECT id AS "conversationId", buyer_id AS "buyerId", vendor_id AS "vendorId", last_seq AS "lastSeq"
    FROM conversations WHERE last_at > now() - $1::float8 * interval '1 millisecond'`,
};

// Where a conversation begins within a time is looked for from its end: it may have fifty thousand messages before.
const WANTED = {
  name: "chat-wanted",
  text: `SELECT m.* FROM unnest($1::text[], $2::int[], $3::float8[]) AS wanted (conversation_id, after_seq, within_ms)
    CROSS JOIN LATERAL (
      SELECT greatest(wanted.after_seq, (
        SELECT old.seq FROM messages old
        WHERE old.conversation_id = wanted.conversation_id
          AND old.created_at <= now() - wanted.within_ms * interval '1 millisecond'
        ORDER BY old.seq DESC LIMIT 1
      )) AS after_seq
    ) begins
    CROSS JOIN LATERAL (
      SELECT ${MESSAGE_COLUMNS} FROM messages m
      WHERE m.conversation_id = wanted.conversation_id AND m.seq > begins.after_seq
      ORDER BY m.seq LIMIT $4
    ) m`,
};

/** Reads of people go through Prisma; what every message or every second pays for goes to `pg` (see `commitBatch`). */
export function openChatStore(pool: Pool): ChatStore {
  const prisma = createPrismaClient(pool);

  async function query<Row extends object>(
    statement: { name: string; text: string },
    values: unknown[],
  ): Promise<Row[]> {
    try {
      return (await pool.query<Row>({ ...statement, values })).rows;
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  return {
    commitBatch: (messages) => commitBatch(pool, messages),

    async openConversation({ buyerId, vendorId, orderId = null }) {
      const opened = await query<ConversationRow>(OPEN, [randomId(), buyerId, vendorId, orderId]);
      if (opened[0]) return { conversation: toConversation(opened[0]), isNew: true };
      const found = await query<ConversationRow>(FIND_BY_SIDES, [buyerId, vendorId]);
      if (!found[0]) throw new Error("a conversation has disappeared");
      return { conversation: toConversation(found[0]), isNew: false };
    },

    async conversation(conversationId) {
      const read = prisma.conversation.findUnique({ where: { conversationId } });
      const row = await readWithPrisma(read);
      return row && toConversation(row);
    },

    async conversationsOf(owner, limit) {
      const read = prisma.conversation.findMany({
        where:
          "buyerId" in owner
            ? { buyerId: owner.buyerId }
            : { vendorId: { in: [...owner.vendorIds] } },
        orderBy: [{ lastAt: { sort: "desc", nulls: "last" } }, { createdAt: "desc" }],
        take: limit,
      });
      return (await readWithPrisma(read)).map(toConversation);
    },

    async messages(conversationId, { afterSeq, beforeSeq, limit }) {
      const isForward = afterSeq !== undefined;
      const read = prisma.message.findMany({
        where: {
          conversationId,
          ...(isForward ? { seq: { gt: Math.min(afterSeq, SEQ_MAX) } } : {}),
          ...(beforeSeq === undefined ? {} : { seq: { lt: Math.min(beforeSeq, SEQ_MAX) } }),
        },
        orderBy: { seq: isForward ? "asc" : "desc" },
        // One more than asked for says whether there are more.
        take: limit + 1,
      });
      const rows = await readWithPrisma(read);
      const page = rows.slice(0, limit).map(toMessage);
      return { messages: isForward ? page : page.reverse(), more: rows.length > limit };
    },

    movedWithin: (withinMs) => query<MovedConversation>(MOVED, [withinMs]),

    async messagesOf(wanted, limitEach) {
      const rows = await query<MessageRow>(WANTED, [
        wanted.map((want) => want.conversationId),
        wanted.map((want) => want.afterSeq),
        wanted.map((want) => want.withinMs),
        limitEach,
      ]);
      return rows.map(toMessage);
    },
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Conversation } from "@localstreet/contracts/chat";
import { raise } from "@localstreet/contracts/raise";
import { HistoryError, listConversations, readMessages } from "./chat-history.ts";
import { ConversationView, type Heard } from "./conversation-view.ts";
import { jitteredMs } from "./jitter.ts";
import type { Identity, Target } from "./target.ts";

/** What a device does to a message that it cannot show as it came. */
export type Mend = "repeated" | "overlap" | "early";

/** A conversation, and whose it is. */
export interface Sides {
  readonly buyerId: string;
  readonly vendorId: string;
}

/** Reads of the history in vain before a device believes that a message is nowhere. */
const READS_IN_VAIN = 3;

/** Pushes that wait until a device knows where it stands. */
const WAITING_MAX = 10_000;

/**
 * The conversations of one device. Pushes are shown in order; what is missing between them is fetched, and at each new
 * connection whatever has come since.
 */
export class ChatInbox {
  readonly #target: Target;
  readonly #as: Identity;
  readonly #fillAfterMs: number;
  readonly #onShow: (conversationId: string, message: Heard) => void;
  readonly #onMend: (mend: Mend) => void;
  readonly #views = new Map<string, ConversationView>();
  readonly #ids = new Map<string, string>();
  readonly #filling = new Set<string>();
  /** The highest `seq` that each conversation was pushed on this connection. */
  #pushed = new Map<string, number>();
  /** What came while the device still asked where it stands; `null` once it knows. */
  #waiting: { conversationId: string; message: Heard }[] | null = [];
  #isFirst = true;
  #isClosed = false;

  constructor(options: {
    target: Target;
    as: Identity;
    /** How long a missing message may still be pushed before it is fetched. */
    fillAfterMs: number;
    onShow: (conversationId: string, message: Heard) => void;
    onMend: (mend: Mend) => void;
  }) {
    this.#target = options.target;
    this.#as = options.as;
    this.#fillAfterMs = options.fillAfterMs;
    this.#onShow = options.onShow;
    this.#onMend = options.onMend;
  }

  /** Pushes may come from now on. */
  connectionOpened(): void {
    this.#pushed = new Map();
    this.#waiting ??= [];
  }

  /**
   * After `connectionOpened`: learns which conversations there are and fetches what was missed. The first time it begins
   * with what comes next.
   *
   * @throws {HistoryError} and whatever `fetch` throws: then it is to be called again.
   */
  async synchronize(): Promise<void> {
    const conversations = await this.#list();
    for (const { conversationId, lastSeq } of conversations) {
      const view = this.#views.get(conversationId);
      if (!view) this.#view(conversationId, this.#isFirst ? lastSeq : 0);
    }
    if (!this.#isFirst) {
      const lastSeqs = new Map(
        conversations.map((one) => [one.conversationId as string, one.lastSeq]),
      );
      for (const [conversationId, view] of this.#views) {
        if ((lastSeqs.get(conversationId) ?? Number.POSITIVE_INFINITY) > view.lastSeq) {
          await this.#read(conversationId, view);
        }
      }
    }
    this.#isFirst = false;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const { conversationId, message } of waiting) this.#hear(conversationId, message, "push");
  }

  /** A message that was pushed. */
  push(conversationId: string, message: Heard): void {
    if (this.#waiting) {
      // More than that is found in the history, as a gap before the next one.
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push({ conversationId, message });
    } else this.#hear(conversationId, message, "push");
  }

  /** The device's own message, once it is acknowledged. */
  sent(sides: Sides, conversationId: string, message: Heard): void {
    this.#ids.set(sidesKey(sides), conversationId);
    this.#hear(conversationId, message, "ack");
  }

  /** @throws {HistoryError} and whatever `fetch` throws. */
  async conversationId(sides: Sides): Promise<string | undefined> {
    const known = this.#ids.get(sidesKey(sides));
    if (known !== undefined) return known;
    await this.#list();
    return this.#ids.get(sidesKey(sides));
  }

  close(): void {
    this.#isClosed = true;
  }

  async #list(): Promise<Conversation[]> {
    const conversations = await listConversations(this.#target, this.#as);
    for (const { conversationId, ...sides } of conversations) {
      this.#ids.set(sidesKey(sides), conversationId);
    }
    return conversations;
  }

  #hear(conversationId: string, message: Heard, by: "push" | "ack"): void {
    const view = this.#view(conversationId, 0);
    const hearing = view.hear(message);
    const pushed = this.#pushed.get(conversationId) ?? 0;
    if (by === "push") {
      this.#pushed.set(conversationId, Math.max(pushed, message.seq));
      if (hearing === "early") this.#onMend("early");
      if (hearing === "old") this.#onMend(message.seq <= pushed ? "repeated" : "overlap");
    }
    if (view.isWaiting) this.#fill(conversationId, view).catch(raise);
  }

  /** Fetches what is missing, if it does not come by itself. */
  async #fill(conversationId: string, view: ConversationView): Promise<void> {
    if (this.#filling.has(conversationId)) return;
    this.#filling.add(conversationId);
    for (let inVain = 0; inVain < READS_IN_VAIN; ) {
      await sleep(this.#fillAfterMs);
      if (!view.isWaiting || this.#isClosed) break;
      const before = view.lastSeq;
      try {
        await this.#read(conversationId, view);
        inVain = view.lastSeq > before ? 0 : inVain + 1;
      } catch (error) {
        // Somebody else's conversation has no history for this device.
        if (error instanceof HistoryError && error.code === "not-found") inVain = READS_IN_VAIN;
        else await sleep(jitteredMs(inVain));
      }
    }
    if (!this.#isClosed) view.giveUp();
    this.#filling.delete(conversationId);
  }

  async #read(conversationId: string, view: ConversationView): Promise<void> {
    const messages = readMessages(this.#target, this.#as, conversationId, view.lastSeq);
    for await (const message of messages) view.read(heardOf(message));
  }

  #view(conversationId: string, lastSeq: number): ConversationView {
    let view = this.#views.get(conversationId);
    if (!view) {
      view = new ConversationView(lastSeq, (message) => this.#onShow(conversationId, message));
      this.#views.set(conversationId, view);
    }
    return view;
  }
}

export function heardOf(message: {
  clientMessageId: string;
  messageId: string;
  seq: number;
}): Heard {
  return { key: message.clientMessageId, messageId: message.messageId, seq: message.seq };
}

function sidesKey({ buyerId, vendorId }: Sides): string {
  return `${buyerId} ${vendorId}`;
}

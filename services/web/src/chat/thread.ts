import type { ChatMessage } from "@localstreet/contracts/chat";

/** What the page shows of a message. */
export type ThreadMessage = Pick<
  ChatMessage,
  "messageId" | "seq" | "side" | "content" | "createdAt" | "clientMessageId"
>;

/** Messages of one conversation, ascending by `seq`. `afterSeq`: older ones were not asked for. */
export interface Thread {
  readonly afterSeq: number;
  readonly messages: readonly ThreadMessage[];
}

/**
 * The thread with more messages, each `seq` once. The order of arrival does not matter: live messages and fetched ones
 * overlap and overtake each other.
 */
export function mergeMessages(thread: Thread, arrived: readonly ThreadMessage[]): Thread {
  const bySeq = new Map(thread.messages.map((message) => [message.seq, message]));
  const known = bySeq.size;
  for (const message of arrived) {
    if (message.seq > thread.afterSeq && !bySeq.has(message.seq)) bySeq.set(message.seq, message);
  }
  if (bySeq.size === known) return thread;
  const messages = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  return { ...thread, messages };
}

/** The newest `seq` up to which nothing is missing (PROTOCOL.md C4): fetch from here. */
export function lastWholeSeq({ afterSeq, messages }: Thread): number {
  let whole = afterSeq;
  for (const { seq } of messages) {
    if (seq !== whole + 1) break;
    whole = seq;
  }
  return whole;
}

/** Whether a message is shown although one before it is missing. */
export function hasHole(thread: Thread): boolean {
  const newest = thread.messages.at(-1);
  return newest !== undefined && newest.seq !== lastWholeSeq(thread);
}

import { ModelMessage } from "./model-message.ts";
import { matches, nanosOf, type StoredMessage } from "./stored-message.ts";
import type { StreamCopy } from "./stream-copy.ts";

/** Where a pull's messages go: one connection's way from this consumer, in order. */
export interface PullChannel {
  readonly isOpen: boolean;
  push(message: ModelMessage): void;
}

interface WaitingPull {
  readonly reply: string;
  readonly channel: PullChannel;
  readonly expiresAtMs: number;
  left: number;
}

/** An ephemeral pull consumer without acknowledgements. It reads the copy of the node that it lives on. */
export class ModelConsumer {
  readonly name: string;
  readonly createdAt: string;
  readonly #copy: StreamCopy;
  readonly #filter: string;
  readonly #ackPrefix: string;
  readonly #inactiveMs: number;
  #position: number;
  #delivered = 0;
  /** As the server counts it: purges, and deletes of what was there when it was counted, leave it too high. */
  #pending: number;
  /** The last message that was counted. 0 when there was none: then all are counted again at the next delivery. */
  #countedThrough: number;
  #waiting: WaitingPull[] = [];
  #activeAtMs: number;

  constructor(options: {
    copy: StreamCopy;
    stream: string;
    name: string;
    createdAt: string;
    filter: string;
    startSequence: number;
    inactiveMs: number;
    nowMs: number;
  }) {
    const { copy } = options;
    this.name = options.name;
    this.createdAt = options.createdAt;
    this.#copy = copy;
    this.#filter = options.filter;
    this.#ackPrefix = `$JS.ACK.${options.stream}.${options.name}.1.`;
    this.#inactiveMs = options.inactiveMs;
    this.#activeAtMs = options.nowMs;
    this.#position = Math.max(
      Math.min(options.startSequence, copy.lastSequence + 1),
      copy.firstSequence,
    );
    const { count, last } = copy.find(this.#filter, this.#position);
    this.#pending = count;
    this.#countedThrough = last;
  }

  get pendingCount(): number {
    return this.#pending;
  }

  /** Pulls that wait for messages. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** The sequence before the next one that it looks at. */
  get throughSequence(): number {
    return Math.max(0, this.#position - 1);
  }

  /** A pull arrives; what is there goes out at once, and the rest waits. */
  pull(options: {
    reply: string;
    channel: PullChannel;
    batch: number;
    expiresAtMs: number;
    nowMs: number;
  }): void {
    const { reply, channel, batch, expiresAtMs, nowMs } = options;
    this.#activeAtMs = nowMs;
    this.#waiting.push({ reply, channel, expiresAtMs, left: batch });
    this.#deliver();
  }

  onStored({ subject, sequence }: StoredMessage): void {
    if (!matches(this.#filter, subject)) return;
    if (this.#countedThrough > 0 && sequence > this.#countedThrough) this.#pending++;
    this.#deliver();
  }

  onDeleted({ subject, sequence }: StoredMessage): void {
    const isCounted = sequence >= this.#position && sequence > this.#countedThrough;
    if (isCounted && this.#pending > 0 && matches(this.#filter, subject)) this.#pending--;
  }

  /** After a purge of all, or of a subject: whatever lies before a sequence is not read. */
  skipTo(sequence: number, purged: string): void {
    const isConcerned = purged === ">" || this.#filter === ">" || this.#filter === purged;
    if (!isConcerned) return;
    this.#position = Math.max(this.#position, sequence);
  }

  /** The word that a pull's time is over. @returns whether the consumer itself is forgotten. */
  tick(nowMs: number): boolean {
    this.#dropClosed();
    for (const pull of this.#waiting) {
      if (pull.expiresAtMs > nowMs) continue;
      const about = `Nats-Pending-Messages: ${pull.left}\r\nNats-Pending-Bytes: 0\r\n`;
      this.#tell(pull, `408 Request Timeout\r\n${about}`);
      this.#activeAtMs = pull.expiresAtMs;
    }
    this.#waiting = this.#waiting.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    return this.#waiting.length === 0 && nowMs - this.#activeAtMs >= this.#inactiveMs;
  }

  /** It was deleted, or its stream. */
  end(): void {
    this.#dropClosed();
    for (const pull of this.#waiting) this.#tell(pull, "409 Consumer Deleted\r\n");
    this.#waiting = [];
  }

  #countDelivered(): void {
    if (this.#countedThrough > 0) {
      this.#pending--;
      return;
    }
    const { count, last } = this.#copy.find(this.#filter, this.#position);
    this.#pending = count;
    this.#countedThrough = last;
  }

  #tell({ reply, channel }: WaitingPull, status: string): void {
    channel.push(ModelMessage.withHeaders(reply, "", `NATS/1.0 ${status}\r\n`));
  }

  /** Pulls of connections that went are forgotten. */
  #dropClosed(): void {
    this.#waiting = this.#waiting.filter(({ channel }) => channel.isOpen);
  }

  #deliver(): void {
    this.#dropClosed();
    for (;;) {
      const pull = this.#waiting[0];
      if (!pull) return;
      const message = this.#copy.next(this.#position, this.#filter);
      if (!message) {
        this.#position = Math.max(this.#position, this.#copy.lastSequence + 1);
        return;
      }
      this.#position = message.sequence + 1;
      this.#countDelivered();
      this.#delivered++;
      const { subject, sequence, block, data, storedAt } = message;
      const about = `${sequence}.${this.#delivered}.${nanosOf(storedAt)}.${Math.max(0, this.#pending)}`;
      const reply = this.#ackPrefix + about;
      pull.channel.push(ModelMessage.withHeaders(subject, reply, block, data));
      if (--pull.left === 0) this.#waiting.shift();
    }
  }
}

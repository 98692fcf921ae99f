import type { ModelConsumer } from "./model-consumer.ts";
import { formatStamp, matches, NEVER, type StoredMessage, UNKNOWN } from "./stored-message.ts";

/** What the file store's index says of one subject. */
interface SubjectIndex {
  count: number;
  /** Of its newest message; still of a deleted one when that was the newest and others are left. */
  last: number;
}

/** What a backup keeps of a stream. */
export interface CopyBackup {
  readonly epoch: string;
  readonly createdAt: string;
  readonly messages: readonly StoredMessage[];
  readonly rawSizes: readonly RawSize[];
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly lastTime: string;
}

interface RawSize {
  readonly sequence: number;
  readonly bytes: number;
}

/** What `STREAM.INFO` answers of what a stream holds. */
export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  readonly first_seq: number;
  readonly first_ts: string;
  readonly last_seq: number;
  readonly last_ts: string;
  readonly num_subjects?: number;
  readonly num_deleted?: number;
  readonly deleted?: number[];
  readonly consumer_count: number;
}

/**
 * The stream as one node of the server holds it: the file store of nats-server 2.9 as long as it has one block, with the
 * faults of its index, which clients see. The leader's copy changes first, a follower's by the same operations later.
 */
export class StreamCopy {
  exists = false;
  epoch = "";
  createdAt: string = NEVER;
  /** In order of their sequences. */
  messages: StoredMessage[] = [];
  firstSequence = 0;
  lastSequence = 0;
  bytes = 0;
  readonly consumers = new Map<string, ModelConsumer>();
  #lastTime: string = NEVER;
  /** Of an empty stream. */
  #emptyTime: string = NEVER;
  #index = new Map<string, SubjectIndex>();
  /** What lies in the file, deleted messages too: how much of it is dead decides when the index is built again. */
  #rawSizes: RawSize[] = [];

  create(epoch: string, createdAt: string): void {
    this.#clear();
    this.exists = true;
    this.epoch = epoch;
    this.createdAt = createdAt;
    this.firstSequence = 0;
    this.lastSequence = 0;
    this.#lastTime = NEVER;
    this.#emptyTime = NEVER;
  }

  remove(): void {
    this.#clear();
    this.exists = false;
    const consumers = [...this.consumers.values()];
    this.consumers.clear();
    for (const consumer of consumers) consumer.end();
  }

  store(message: StoredMessage): void {
    if (this.firstSequence === 0) this.firstSequence = 1;
    if (this.messages.length === 0) this.firstSequence = message.sequence;
    this.messages.push(message);
    this.lastSequence = message.sequence;
    this.#lastTime = formatStamp(message.storedAt);
    this.bytes += message.bytes;
    this.#rawSizes.push({ sequence: message.sequence, bytes: message.bytes });
    this.#indexMessage(message);
    for (const consumer of this.consumers.values()) consumer.onStored(message);
  }

  /** Removes one message, as the API does. */
  delete(sequence: number): boolean {
    const at = this.#indexOf(sequence);
    const message = this.messages[at];
    if (message?.sequence !== sequence) return false;
    this.#removeAt(at, message);
    for (const consumer of this.consumers.values()) consumer.onDeleted(message);
    return true;
  }

  /** Drops what is as old as `untilMs` or older, from the front. */
  expire(untilMs: number): number {
    let count = 0;
    for (;;) {
      const message = this.messages[0];
      if (!message || message.storedAt.ms > untilMs) return count;
      this.#removeAt(0, message);
      for (const consumer of this.consumers.values()) consumer.onExpired(message);
      count++;
    }
  }

  purgeAll(): number {
    const count = this.messages.length;
    this.#clear();
    this.firstSequence = this.lastSequence + 1;
    this.#emptyTime = NEVER;
    this.#moveConsumers(this.firstSequence);
    return count;
  }

  /** Removes what lies before a sequence. Beyond the end it moves the end as well. */
  purgeBefore(sequence: number): number {
    const count = this.#compact(sequence);
    this.#moveConsumers(this.firstSequence);
    return count;
  }

  purgeSubject(filter: string, keep: number): number {
    const matching = this.messages.filter(({ subject }) => matches(filter, subject));
    const going = matching.slice(0, Math.max(0, matching.length - keep));
    for (const message of going) this.#removeAt(this.#indexOf(message.sequence), message);
    // All consumers go on behind the last one that went, also those of other subjects.
    const first = this.messages.find(({ subject }) => matches(filter, subject));
    this.#moveConsumers(first?.sequence ?? this.lastSequence + 1);
    return going.length;
  }

  get(sequence: number): StoredMessage | null {
    const message = this.messages[this.#indexOf(sequence)];
    return message?.sequence === sequence ? message : null;
  }

  /** The first message of a subject at or behind a sequence. */
  next(sequence: number, filter: string): StoredMessage | null {
    for (let at = this.#indexOf(sequence); at < this.messages.length; at++) {
      const message = this.messages[at] as StoredMessage;
      if (matches(filter, message.subject)) return message;
    }
    return null;
  }

  /** The newest message of a subject as the server finds it: by its index, which may name one that is gone. */
  last(filter: string): StoredMessage | null {
    if (filter === ">") return this.get(this.lastSequence);
    let last = this.#index.get(filter)?.last ?? 0;
    if (last === 0) {
      for (const [subject, entry] of this.#index) {
        if (matches(filter, subject)) last = Math.max(last, entry.last);
      }
    }
    return this.get(last);
  }

  countFrom(sequence: number, filter: string): number {
    let count = 0;
    for (let at = this.#indexOf(sequence); at < this.messages.length; at++) {
      if (matches(filter, (this.messages[at] as StoredMessage).subject)) count++;
    }
    return count;
  }

  state(withDeleted: boolean): StreamState {
    const { messages, firstSequence, lastSequence } = this;
    const first = messages[0];
    const gaps = first ? lastSequence - firstSequence + 1 - messages.length : 0;
    return {
      messages: messages.length,
      bytes: this.bytes,
      first_seq: firstSequence,
      first_ts: first ? formatStamp(first.storedAt) : this.#emptyTime,
      last_seq: lastSequence,
      last_ts: this.#lastTime,
      ...(this.#index.size > 0 ? { num_subjects: this.#index.size } : {}),
      ...(gaps > 0 ? { num_deleted: gaps } : {}),
      ...(gaps > 0 && withDeleted ? { deleted: this.#deleted() } : {}),
      consumer_count: this.consumers.size,
    };
  }

  backup(): CopyBackup {
    return {
      epoch: this.epoch,
      createdAt: this.createdAt,
      messages: [...this.messages],
      rawSizes: [...this.#rawSizes],
      firstSequence: this.firstSequence,
      lastSequence: this.lastSequence,
      lastTime: this.#lastTime,
    };
  }

  /** As the server finds a stream on disk: the index is built from what is there, and nothing of memory is left. */
  restore(backup: CopyBackup): void {
    this.remove();
    this.exists = true;
    this.epoch = backup.epoch;
    this.createdAt = backup.createdAt;
    this.messages = [...backup.messages];
    this.firstSequence = backup.firstSequence;
    this.lastSequence = backup.lastSequence;
    this.#rawSizes = [...backup.rawSizes];
    this.#emptyTime = UNKNOWN;
    // The time of the end is read from the message that is there, if it is.
    const isEndGone = this.messages.length > 0 && this.get(this.lastSequence) === null;
    this.#lastTime = isEndGone ? UNKNOWN : backup.lastTime;
    for (const message of this.messages) {
      this.bytes += message.bytes;
      this.#indexMessage(message);
    }
  }

  #clear(): void {
    this.messages = [];
    this.bytes = 0;
    this.#index.clear();
    this.#rawSizes = [];
  }

  #indexMessage({ subject, sequence }: StoredMessage): void {
    const entry = this.#index.get(subject);
    if (entry) {
      entry.count++;
      entry.last = sequence;
    } else this.#index.set(subject, { count: 1, last: sequence });
  }

  #removeAt(at: number, message: StoredMessage): void {
    this.messages.splice(at, 1);
    this.bytes -= message.bytes;
    this.#unindex(message);
    const first = this.messages[0];
    if (first) this.firstSequence = first.sequence;
    else {
      this.firstSequence = this.lastSequence + 1;
      this.#emptyTime = UNKNOWN;
      this.#rawSizes = [];
    }
  }

  #unindex({ subject }: StoredMessage): void {
    const entry = this.#index.get(subject) as SubjectIndex;
    entry.count--;
    if (entry.count === 0) this.#index.delete(subject);
  }

  #compact(sequence: number): number {
    if (sequence > this.lastSequence) {
      const count = this.messages.length;
      this.#clear();
      this.firstSequence = sequence;
      this.lastSequence = sequence - 1;
      this.#emptyTime = NEVER;
      return count;
    }
    const going = this.messages.slice(0, this.#indexOf(sequence));
    for (const message of going) this.#removeAt(0, message);
    this.#reclaim(sequence);
    return going.length;
  }

  /** A file that is more than half dead is written again, and the index with it. */
  #reclaim(sequence: number): void {
    const raw = this.#rawSizes.reduce((sum, { bytes }) => sum + bytes, 0);
    if (this.bytes * 2 >= raw) return;
    this.#rawSizes = this.#rawSizes.filter((size) => size.sequence >= sequence);
    this.#index.clear();
    for (const message of this.messages) this.#indexMessage(message);
  }

  #moveConsumers(sequence: number): void {
    for (const consumer of this.consumers.values()) consumer.skipTo(sequence);
  }

  #deleted(): number[] {
    const deleted: number[] = [];
    let at = 0;
    for (let sequence = this.firstSequence; sequence <= this.lastSequence; sequence++) {
      if (this.messages[at]?.sequence === sequence) at++;
      else deleted.push(sequence);
    }
    return deleted;
  }

  /** Where the first message at or behind a sequence is. */
  #indexOf(sequence: number): number {
    let low = 0;
    let high = this.messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.messages[middle] as StoredMessage).sequence < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

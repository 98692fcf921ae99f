import type { ModelConsumer } from "./model-consumer.ts";
import { matches, NEVER, type StoredMessage, UNKNOWN } from "./stored-message.ts";

/** What the file store's index says of one subject. */
interface SubjectIndex {
  count: number;
  /** Of its oldest message. When that goes and one is left, it is what `last` is, right or wrong. */
  first: number;
  /** Of its newest message; still of a deleted one when that was the newest and others are left. */
  last: number;
}

/** What a backup keeps of a stream. */
export interface CopyBackup {
  readonly epoch: string;
  readonly createdAt: string;
  readonly messages: readonly StoredMessage[];
  readonly rawSizes: readonly RawSize[];
  readonly index: ReadonlyMap<string, Readonly<SubjectIndex>>;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** As it will be read from the disk. */
  readonly lastTime: string;
}

interface RawSize {
  readonly sequence: number;
  readonly bytes: number;
}

interface Found {
  readonly count: number;
  readonly first: number;
  readonly last: number;
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
  /** A purge by subject that leaves nothing forgets to write down when the newest message came. */
  #isEndOnDisk = true;
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
    this.#lastTime = message.time;
    this.#isEndOnDisk = true;
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
      for (const consumer of this.consumers.values()) consumer.onDeleted(message);
      count++;
    }
  }

  purgeAll(): number {
    const count = this.messages.length;
    this.#clear();
    this.#isEndOnDisk = true;
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

  /** Removes messages of a subject where the index says that they lie. */
  purgeSubject(filter: string, keep: number): number {
    const found = this.find(filter, this.firstSequence);
    let left = found.count - keep;
    let purged = 0;
    for (let sequence = found.first; sequence <= found.last && left > 0; sequence++) {
      const at = this.#indexOf(sequence);
      const message = this.messages[at];
      if (message?.sequence !== sequence || !matches(filter, message.subject)) continue;
      this.#removeAt(at, message);
      purged++;
      left--;
    }
    if (purged > 0 && this.messages.length === 0) this.#isEndOnDisk = false;
    // A consumer of all subjects goes on behind the last one that went, over what is left of other subjects.
    const { count, first } = this.find(filter, this.firstSequence);
    this.#moveConsumers(count > 0 ? first : this.lastSequence + 1, filter);
    return purged;
  }

  get(sequence: number): StoredMessage | null {
    const message = this.messages[this.#indexOf(sequence)];
    return message?.sequence === sequence ? message : null;
  }

  /** The first message of a subject at or behind a sequence, looked for from where the index says that there is one. */
  next(sequence: number, filter: string): StoredMessage | null {
    const start = Math.max(sequence, this.firstSequence);
    const isOnly = this.#index.size === 1 && this.#index.has(filter);
    // Near the end the server looks at each message instead.
    const isNear = 2 * (this.lastSequence - start) < this.#index.size;
    if (filter === ">" || isOnly || isNear) return this.#nextFrom(start, filter);
    let from = Number.POSITIVE_INFINITY;
    for (const [subject, { first, last }] of this.#index) {
      if (start <= last && matches(filter, subject)) from = Math.min(from, Math.max(first, start));
    }
    return this.#nextFrom(from, filter);
  }

  /** The newest message of a subject as the server finds it: by its index, which may name one that is gone. */
  last(filter: string): StoredMessage | null {
    return this.get(this.find(filter, this.firstSequence).last);
  }

  /** Whether the server knows when its newest message came: not after a restore without that message. */
  get isEndKnown(): boolean {
    return this.#lastTime !== UNKNOWN;
  }

  /**
   * Where messages of a subject lie, and how many, from a sequence on. From the index, unless an entry begins before the
   * sequence; for all subjects the last one is the end of the log, deleted or not.
   */
  find(filter: string, sequence: number): Found {
    const { messages, firstSequence, lastSequence } = this;
    if (filter === ">") {
      if (sequence > lastSequence) return { count: 0, first: 0, last: 0 };
      const count = messages.length - this.#indexOf(sequence);
      return { count, first: Math.max(firstSequence, sequence), last: lastSequence };
    }
    const found = { count: 0, first: 0, last: 0 };
    for (const [subject, { count, first, last }] of this.#index) {
      if (!matches(filter, subject) || sequence > last) continue;
      if (sequence > first) return this.#scan(filter, sequence);
      found.count += count;
      found.first = found.first === 0 ? first : Math.min(found.first, first);
      found.last = Math.max(found.last, last);
    }
    return found;
  }

  /** How many messages each subject of a filter has, as the index says. */
  subjects(filter: string): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const [subject, { count }] of this.#index) {
      if (matches(filter, subject)) counts[subject] = count;
    }
    return counts;
  }

  state(withDeleted: boolean): StreamState {
    const { messages, firstSequence, lastSequence } = this;
    const first = messages[0];
    const gaps = first ? lastSequence - firstSequence + 1 - messages.length : 0;
    return {
      messages: messages.length,
      bytes: this.bytes,
      first_seq: firstSequence,
      first_ts: first ? first.time : this.#emptyTime,
      last_seq: lastSequence,
      last_ts: this.#lastTime,
      ...(this.#index.size > 0 ? { num_subjects: this.#index.size } : {}),
      ...(gaps > 0 ? { num_deleted: gaps } : {}),
      ...(gaps > 0 && withDeleted ? { deleted: this.#deleted() } : {}),
      consumer_count: this.consumers.size,
    };
  }

  backup(): CopyBackup {
    // With messages left it is read from the newest, if that is there.
    const isEmpty = this.messages.length === 0;
    const isRead = isEmpty ? this.#isEndOnDisk : this.get(this.lastSequence) !== null;
    return {
      epoch: this.epoch,
      createdAt: this.createdAt,
      messages: [...this.messages],
      rawSizes: [...this.#rawSizes],
      index: new Map([...this.#index].map(([subject, entry]) => [subject, { ...entry }])),
      firstSequence: this.firstSequence,
      lastSequence: this.lastSequence,
      lastTime: isRead ? this.#lastTime : UNKNOWN,
    };
  }

  /**
   * As the server finds a stream on disk. Nothing of memory is left. The index was written down with its faults, and is
   * built again when the newest message is not there.
   */
  restore(backup: CopyBackup): void {
    this.remove();
    this.exists = true;
    this.epoch = backup.epoch;
    this.createdAt = backup.createdAt;
    this.messages = [...backup.messages];
    this.firstSequence = Math.max(1, backup.firstSequence);
    this.lastSequence = backup.lastSequence;
    this.#rawSizes = [...backup.rawSizes];
    this.#emptyTime = UNKNOWN;
    this.#lastTime = backup.lastTime;
    this.#isEndOnDisk = true;
    for (const { bytes } of this.messages) this.bytes += bytes;
    if (this.isEndKnown) {
      for (const [subject, entry] of backup.index) this.#index.set(subject, { ...entry });
    } else this.#buildIndex();
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
    } else this.#index.set(subject, { count: 1, first: sequence, last: sequence });
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

  #unindex({ subject, sequence }: StoredMessage): void {
    const entry = this.#index.get(subject) as SubjectIndex;
    entry.count--;
    if (entry.count === 0) this.#index.delete(subject);
    else if (entry.first === sequence) {
      const next = entry.count === 1 ? null : this.#nextFrom(sequence + 1, subject);
      entry.first = next?.sequence ?? entry.last;
    }
  }

  #nextFrom(sequence: number, filter: string): StoredMessage | null {
    for (let at = this.#indexOf(sequence); at < this.messages.length; at++) {
      const message = this.messages[at] as StoredMessage;
      if (matches(filter, message.subject)) return message;
    }
    return null;
  }

  #scan(filter: string, sequence: number): Found {
    const found = { count: 0, first: 0, last: 0 };
    for (let at = this.#indexOf(sequence); at < this.messages.length; at++) {
      const message = this.messages[at] as StoredMessage;
      if (!matches(filter, message.subject)) continue;
      found.count++;
      found.first ||= message.sequence;
    }
    return found;
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
    this.#buildIndex();
  }

  #buildIndex(): void {
    this.#index.clear();
    for (const message of this.messages) this.#indexMessage(message);
  }

  #moveConsumers(sequence: number, purged = ">"): void {
    for (const consumer of this.consumers.values()) consumer.skipTo(sequence, purged);
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

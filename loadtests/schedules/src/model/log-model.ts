import {
  bytesOnDisk,
  formatStamp,
  headerOf,
  type Stamp,
  type StoredMessage,
} from "./stored-message.ts";
import { type CopyBackup, StreamCopy, type StreamState } from "./stream-copy.ts";

/** What a backup holds. It may be restored more than once. */
export interface LogBackup {
  readonly copy: CopyBackup;
}

/** What became of a publish. */
export type PublishOutcome =
  | { readonly status: "stored"; readonly sequence: number }
  | { readonly status: "duplicate"; readonly sequence: number }
  /** The newest message of the subject is another than was expected. */
  | { readonly status: "wrong-last-sequence"; readonly lastSequence: number }
  | { readonly status: "away" };

export interface LogOptions {
  readonly epoch: string;
  readonly maxAgeMs: number;
  readonly duplicateWindowMs: number;
  readonly nowMs: () => number;
  readonly startedAtMs?: number;
  /** What the leader tells of a message once it is stored: live copies are made of it. */
  readonly onStored: (message: StoredMessage, previousSequence: number) => void;
}

type Operation = (copy: StreamCopy) => void;

interface KnownId {
  readonly sequence: number;
  readonly storedAtMs: number;
}

const NOTHING = new Uint8Array(0);

/** The log as its leader has it, with a follower that applies the same operations when it is told to. */
export class LogModel {
  readonly leader = new StreamCopy();
  readonly follower = new StreamCopy();
  readonly #options: LogOptions;
  readonly #operations: Operation[] = [];
  #applied = 0;
  #knownIds = new Map<string, KnownId>();
  /** The server reads the ids of a stream that it found on disk when it needs the first. */
  #hasReadIds = true;
  #stored = 0;

  constructor(options: LogOptions) {
    this.#options = options;
    const createdAt = formatStamp({ ms: options.startedAtMs ?? options.nowMs(), nanos: 0 });
    this.#apply((copy) => copy.create(options.epoch, createdAt));
    this.catchUp();
  }

  /** Whether the stream is there: it is away between `remove` and `create` or `restore`. */
  get exists(): boolean {
    return this.leader.exists;
  }

  get epoch(): string {
    return this.leader.epoch;
  }

  get followerLag(): number {
    return this.#operations.length - this.#applied;
  }

  catchUp(operations = Number.POSITIVE_INFINITY): void {
    const end = Math.min(this.#operations.length, this.#applied + operations);
    while (this.#applied < end) this.#operations[this.#applied++]?.(this.follower);
    if (this.followerLag === 0) {
      this.#operations.length = 0;
      this.#applied = 0;
    }
  }

  /** Stores an event as a publish of some other client does. @throws when the stream is away. */
  publish(message: {
    readonly subject: string;
    readonly messageId?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly data?: Uint8Array;
  }): { seq: number; duplicate: boolean } {
    let fields = message.messageId === undefined ? "" : `Nats-Msg-Id: ${message.messageId}\r\n`;
    for (const [name, value] of Object.entries(message.headers ?? {})) {
      fields += `${name}: ${value}\r\n`;
    }
    const block = fields === "" ? "" : `NATS/1.0\r\n${fields}\r\n`;
    const outcome = this.accept(message.subject, block, message.data ?? NOTHING);
    if (outcome.status !== "stored" && outcome.status !== "duplicate") {
      throw new Error(`not stored: ${outcome.status}`);
    }
    return { seq: outcome.sequence, duplicate: outcome.status === "duplicate" };
  }

  /** Stores a publish with the header block that came with it. */
  accept(subject: string, block: string, data: Uint8Array): PublishOutcome {
    const { leader } = this;
    if (!leader.exists) return { status: "away" };
    const messageId = headerOf(block, "Nats-Msg-Id") ?? "";
    const nowMs = this.#options.nowMs();
    if (messageId !== "") {
      this.#readIds(nowMs);
      const known = this.#knownIds.get(messageId);
      if (known && nowMs - known.storedAtMs < this.#options.duplicateWindowMs) {
        return { status: "duplicate", sequence: known.sequence };
      }
    }
    const previousSequence = leader.last(subject)?.sequence ?? 0;
    const expected = headerOf(block, "Nats-Expected-Last-Subject-Sequence");
    if (expected !== undefined && Number(expected) !== previousSequence) {
      return { status: "wrong-last-sequence", lastSequence: previousSequence };
    }
    const storedAt = this.#stamp(nowMs);
    const stored: StoredMessage = {
      subject,
      sequence: leader.lastSequence + 1,
      block,
      data: new Uint8Array(data),
      messageId,
      storedAt,
      time: formatStamp(storedAt),
      bytes: bytesOnDisk(subject, block, data),
    };
    if (messageId !== "") {
      this.#knownIds.set(messageId, { sequence: stored.sequence, storedAtMs: nowMs });
    }
    this.#apply((copy) => copy.store(stored));
    this.#options.onStored(stored, previousSequence);
    return { status: "stored", sequence: stored.sequence };
  }

  /** Drops what is too old by now. */
  expire(): number {
    const { maxAgeMs, nowMs } = this.#options;
    const untilMs = nowMs() - maxAgeMs;
    const first = this.leader.messages[0];
    if (!first || first.storedAt.ms > untilMs) return 0;
    return this.#apply((copy) => copy.expire(untilMs));
  }

  /**
   * As `STREAM.PURGE`: everything, or all of a subject, but for the newest `keep`; or what lies before `upToSequence`.
   * The server's `keep` without a subject counts sequences, not messages.
   */
  purge(options: { keep?: number; upToSequence?: number; subject?: string } = {}): number {
    const { keep = 0, upToSequence = 0, subject } = options;
    if (subject !== undefined) return this.#apply((copy) => copy.purgeSubject(subject, keep));
    if (upToSequence > 1) return this.#apply((copy) => copy.purgeBefore(upToSequence));
    if (keep === 0) return this.#apply((copy) => copy.purgeAll());
    return this.#apply((copy) =>
      keep >= copy.messages.length ? 0 : copy.purgeBefore(copy.lastSequence - keep + 1),
    );
  }

  delete(sequence: number): boolean {
    return this.#apply((copy) => copy.delete(sequence));
  }

  /** The stream is deleted. Its consumers end with it. */
  remove(): void {
    this.#knownIds.clear();
    this.#hasReadIds = true;
    this.#apply((copy) => copy.remove());
  }

  /** A stream of the same name is created: sequences begin at 1. */
  create(epoch: string): void {
    const createdAt = formatStamp(this.#stamp(this.#options.nowMs()));
    this.#apply((copy) => copy.create(epoch, createdAt));
  }

  /** Deleted and created again at once. */
  makeAnew(epoch: string): void {
    this.remove();
    this.create(epoch);
  }

  backup(): LogBackup {
    return { copy: this.leader.backup() };
  }

  /**
   * The stream is deleted and restored from a backup, without anybody's connection noticing: the same epoch, and the
   * sequences behind the backup are used again. The server knows the ids again of what the stream holds when the next id is
   * published, within the window of duplicates; none at all when the newest message was deleted before the backup, as long
   * as no other has come.
   */
  restore(backup: LogBackup): void {
    const { copy: kept } = backup;
    this.remove();
    this.#apply((copy) => copy.restore(kept));
    this.#hasReadIds = false;
  }

  state(options: { deletedDetails?: boolean } = {}): StreamState {
    return this.leader.state(options.deletedDetails === true);
  }

  get(sequence: number): StoredMessage | null {
    return this.leader.get(sequence);
  }

  #apply<T>(operation: (copy: StreamCopy) => T): T {
    this.#operations.push(operation);
    return operation(this.leader);
  }

  #readIds(nowMs: number): void {
    if (this.#hasReadIds) return;
    this.#hasReadIds = true;
    if (!this.leader.isEndKnown) return;
    const oldestMs = nowMs - this.#options.duplicateWindowMs;
    for (const { messageId, sequence, storedAt } of this.leader.messages) {
      if (messageId === "" || storedAt.ms < oldestMs) continue;
      this.#knownIds.set(messageId, { sequence, storedAtMs: storedAt.ms });
    }
  }

  #stamp(ms: number): Stamp {
    this.#stored++;
    return { ms, nanos: this.#stored };
  }
}

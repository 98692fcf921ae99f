/** Where an outbox writes: a `net.Socket`, or whatever guards one. */
export interface Sink {
  /** False once nothing may be written any more. */
  readonly writable: boolean;
  /** Bytes that were written and that the kernel has not taken. */
  readonly writableLength: number;
  /** Takes the bytes in order; `done` runs when the kernel has them, or never will. */
  write(bytes: Buffer, done: () => void): unknown;
}

/** The frames that wait for one socket: in order, bounded in bytes, all that are ready in one write. */
export interface Outbox {
  /** Queues a frame. The buffer may be shared with other outboxes: it is never changed. */
  push(frame: Buffer): void;
  /** As `push`; while the socket has not drained, a newer frame of the same slot takes the place of one that waits. */
  pushLatest(slot: string, frame: Buffer): void;
  /** Keeps pushed frames back until `release`, while history goes out by `writeHistory`. */
  hold(): void;
  release(): void;
  /**
   * Writes past a hold and resolves when the kernel has taken it, so that a long history is never in memory as a whole.
   * `false` when the outbox was closed instead.
   */
  writeHistory(frames: Buffer): Promise<boolean>;
  /** Bytes queued here and in the socket. */
  readonly pendingBytes: number;
  /**
   * Writes what is queued, then `last`, then no more. While held, what is queued is dropped instead: it would arrive
   * ahead of the history that it follows.
   */
  finish(last?: Buffer): void;
  /** Drops what is queued; every later call does nothing. */
  close(): void;
}

export interface OutboxOptions {
  /** Bytes that may be pending before the reader counts as too slow. */
  readonly limitBytes: number;
  /** Called once, with the outbox already closed: nothing is dropped in between, the reader is cut off. */
  readonly onOverflow: () => void;
}

export function createOutbox(sink: Sink, options: OutboxOptions): Outbox {
  return new SocketOutbox(sink, options);
}

let dirty: SocketOutbox[] = [];

/** Once per turn of the event loop: every outbox that got frames in it writes them. */
function flushDirty(): void {
  const ready = dirty;
  dirty = [];
  for (const outbox of ready) outbox.flush();
}

class SocketOutbox implements Outbox {
  readonly #sink: Sink;
  readonly #limitBytes: number;
  readonly #onOverflow: () => void;
  /** In the order of writing. A slot's key moves to the end with its newer frame, so that no frame overtakes another. */
  readonly #queue = new Map<number | string, Buffer>();
  #queuedBytes = 0;
  #nextKey = 0;
  #writesUnderWay = 0;
  #isHeld = false;
  #isDirty = false;
  #isClosed = false;
  #historyWaits: ((taken: boolean) => void) | undefined;

  constructor(sink: Sink, { limitBytes, onOverflow }: OutboxOptions) {
    this.#sink = sink;
    this.#limitBytes = limitBytes;
    this.#onOverflow = onOverflow;
  }

  get pendingBytes(): number {
    return this.#queuedBytes + this.#sink.writableLength;
  }

  push(frame: Buffer): void {
    this.#add(this.#nextKey++, frame);
  }

  pushLatest(slot: string, frame: Buffer): void {
    if (!this.#isHeld && !this.#isStalled) {
      this.push(frame);
      return;
    }
    const older = this.#queue.get(slot);
    if (older) {
      this.#queue.delete(slot);
      this.#queuedBytes -= older.length;
    }
    this.#add(slot, frame);
  }

  hold(): void {
    this.#writeQueued();
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.flush();
  }

  async writeHistory(frames: Buffer): Promise<boolean> {
    if (this.#isClosed || !this.#sink.writable) return false;
    const taken = await new Promise<boolean>((resolve) => {
      this.#historyWaits = resolve;
      this.#sink.write(frames, () => resolve(true));
    });
    return taken && !this.#isClosed;
  }

  /** Writes what is ready, unless the socket is still busy with what it has: then its `done` comes back here. */
  flush(): void {
    this.#isDirty = false;
    if (!this.#isHeld && !this.#isStalled) this.#writeQueued();
  }

  finish(last?: Buffer): void {
    if (this.#isClosed) return;
    if (this.#isHeld) this.#queue.clear();
    if (last) this.#queue.set(this.#nextKey, last);
    this.#writeQueued();
    this.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.clear();
    this.#queuedBytes = 0;
    this.#historyWaits?.(false);
  }

  /** The kernel did not take everything at once. What other writers put into the socket does not count: it wakes nobody here. */
  get #isStalled(): boolean {
    return this.#writesUnderWay > 0 && this.#sink.writableLength > 0;
  }

  #add(key: number | string, frame: Buffer): void {
    if (this.#isClosed) return;
    this.#queue.set(key, frame);
    this.#queuedBytes += frame.length;
    // What the kernel takes at once is not pending: a burst within one turn is no slow reader's fault.
    if (this.pendingBytes > this.#limitBytes) this.flush();
    if (this.pendingBytes > this.#limitBytes) {
      this.close();
      this.#onOverflow();
    } else if (!this.#isDirty) {
      this.#isDirty = true;
      if (dirty.push(this) === 1) setImmediate(flushDirty);
    }
  }

  readonly #onWritten = (): void => {
    this.#writesUnderWay--;
    this.flush();
  };

  #writeQueued(): void {
    if (this.#queue.size === 0) return;
    if (!this.#sink.writable) {
      this.close();
      return;
    }
    const frames = [...this.#queue.values()];
    this.#queue.clear();
    this.#queuedBytes = 0;
    this.#nextKey = 0;
    this.#writesUnderWay++;
    this.#sink.write(
      frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames),
      this.#onWritten,
    );
  }
}

/** The part of a socket that an outbox needs; `net.Socket` has it. */
export interface OutboxSocket {
  write(chunk: Buffer): boolean;
  once(event: "drain" | "close", listener: () => void): unknown;
  off(event: "drain" | "close", listener: () => void): unknown;
  readonly writableLength: number;
  readonly writableNeedDrain: boolean;
}

/** The connection that an outbox belongs to. It is asked and told by methods: ten thousand closures are megabytes. */
export interface OutboxOwner {
  /** False once nothing may be written to the socket any more. */
  readonly isWritable: boolean;
  /** The reader left more than the limit unread. The outbox is closed already. */
  onOverflow(): void;
}

/** A frame that gives way to a newer one of its slot. */
interface Slot {
  readonly frame: Buffer;
}

/**
 * What waits to be written to one socket, in order.
 *
 * - Frames are encoded once, elsewhere, and the same bytes are handed to every outbox.
 * - Frames that become ready in one turn of the event loop leave in one write: a write costs a syscall, and in bursts
 *   that is most of what a frame costs.
 * - Nothing is written to a socket that has not drained, so that what waits can still be conflated, and its bytes are
 *   bounded: past `limitBytes` the outbox is closed and its owner told, once. Nothing is dropped in between.
 * - While it is held, history is written past the queue by `writeHistory`, at the pace of the socket.
 */
export class Outbox {
  readonly #socket: OutboxSocket;
  readonly #owner: OutboxOwner;
  readonly #limitBytes: number;
  #queue: (Buffer | Slot)[] = [];
  #queuedBytes = 0;
  #slots: Map<string, Slot> | undefined;
  #state: "open" | "held" | "closed";
  /** A flush will come: at the end of this turn, or when the socket has drained. */
  #isDue = false;

  constructor(
    socket: OutboxSocket,
    owner: OutboxOwner,
    options: { limitBytes: number; held?: boolean },
  ) {
    this.#socket = socket;
    this.#owner = owner;
    this.#limitBytes = options.limitBytes;
    this.#state = options.held === true ? "held" : "open";
  }

  /** Bytes that the peer has not taken: those queued here and those that wait in the socket. */
  get pendingBytes(): number {
    return this.#queuedBytes + this.#socket.writableLength;
  }

  push(frame: Buffer): void {
    if (this.#state === "closed") return;
    this.#queue.push(frame);
    this.#grow(frame.length);
  }

  /**
   * As `push`, but while the socket is stalled a frame of the same slot that still waits is dropped for this one. The new
   * frame goes to the end: it may not overtake what was pushed since. A reader that keeps up gets every frame.
   */
  pushLatest(slotName: string, frame: Buffer): void {
    if (!this.#socket.writableNeedDrain) {
      this.push(frame);
      return;
    }
    if (this.#state === "closed") return;
    this.#slots ??= new Map();
    const older = this.#slots.get(slotName);
    if (older) {
      this.#queue.splice(this.#queue.indexOf(older), 1);
      this.#queuedBytes -= older.frame.length;
    }
    const slot: Slot = { frame };
    this.#slots.set(slotName, slot);
    this.#queue.push(slot);
    this.#grow(frame.length);
  }

  /**
   * Writes past what is queued, while the outbox is held. Resolves when the socket takes more.
   *
   * @returns `false` when the outbox is not held any more, for the connection has ended: write no further.
   */
  async writeHistory(frame: Buffer): Promise<boolean> {
    if (!this.#takesHistory) return false;
    if (!this.#socket.write(frame)) await drained(this.#socket);
    return this.#takesHistory;
  }

  /** History is out: what was queued meanwhile follows. */
  release(): void {
    if (this.#state !== "held") return;
    this.#state = "open";
    this.#schedule();
  }

  /**
   * Hands everything to the socket, drained or not, then `lastFrame`, and takes no more: the end of the connection
   * follows. What a held outbox has queued is dropped: it comes after history that did not go out, and a client that saw
   * its ids would resume behind the hole.
   */
  finish(lastFrame?: Buffer): void {
    if (this.#state === "closed") return;
    if (this.#state === "held") this.#forget();
    if (lastFrame) this.#queue.push(lastFrame);
    this.#write();
    this.close();
  }

  /** Forgets what is queued and takes no more. */
  close(): void {
    this.#state = "closed";
    this.#forget();
  }

  get #takesHistory(): boolean {
    return this.#state === "held" && this.#owner.isWritable;
  }

  #grow(bytes: number): void {
    this.#queuedBytes += bytes;
    if (this.pendingBytes > this.#limitBytes) {
      // What the kernel takes at once is not pending: a burst within one turn is no slow reader's fault.
      if (this.#state === "open" && !this.#socket.writableNeedDrain) this.#write();
      if (this.pendingBytes > this.#limitBytes) {
        this.close();
        this.#owner.onOverflow();
      }
    }
    if (this.#state === "open") this.#schedule();
  }

  // One immediate for all outboxes of the process, not one for each.
  static #due: Outbox[] = [];

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    if (Outbox.#due.push(this) === 1) setImmediate(Outbox.#flushDue);
  }

  static #flushDue(): void {
    const due = Outbox.#due;
    Outbox.#due = [];
    for (const outbox of due) outbox.#flush();
  }

  #flush(): void {
    this.#isDue = false;
    if (this.#state !== "open" || this.#queue.length === 0) return;
    if (this.#socket.writableNeedDrain) {
      this.#isDue = true;
      this.#socket.once("drain", () => this.#flush());
      return;
    }
    this.#write();
  }

  #write(): void {
    if (this.#queue.length === 0) return;
    if (!this.#owner.isWritable) {
      this.close();
      return;
    }
    const frames = this.#slots?.size ? this.#queue.map(frameOf) : (this.#queue as Buffer[]);
    this.#forget();
    this.#socket.write(frames.length === 1 ? (frames[0] as Buffer) : join(frames));
  }

  #forget(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#slots = undefined;
  }
}

function frameOf(entry: Buffer | Slot): Buffer {
  return Buffer.isBuffer(entry) ? entry : entry.frame;
}

/** What was joined last in this turn: in a burst the same frames go to many sockets. */
let joined: { readonly frames: readonly Buffer[]; readonly bytes: Buffer } | undefined;

function join(frames: readonly Buffer[]): Buffer {
  if (joined === undefined) setImmediate(forgetJoined);
  else if (isSame(frames, joined.frames)) return joined.bytes;
  const bytes = Buffer.concat(frames);
  joined = { frames, bytes };
  return bytes;
}

function forgetJoined(): void {
  joined = undefined;
}

function isSame(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((frame, index) => frame === others[index]);
}

function drained(socket: OutboxSocket): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      socket.off("drain", settle);
      socket.off("close", settle);
      resolve();
    };
    socket.once("drain", settle);
    socket.once("close", settle);
  });
}

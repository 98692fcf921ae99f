/** The part of a socket that an outbox needs; `net.Socket` has it. */
export interface OutboxSocket {
  write(chunk: Buffer): boolean;
  once(event: "drain" | "close", listener: () => void): unknown;
  off(event: "drain" | "close", listener: () => void): unknown;
  readonly writableLength: number;
  readonly writableNeedDrain: boolean;
  /** False once nothing may be written any more. */
  readonly writable: boolean;
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
 *   bounded: past `limitBytes` the outbox is closed and `onOverflow` called, once. Nothing is dropped in between.
 * - While it is held, history is written past the queue by `writeHistory`, at the pace of the socket.
 */
export class Outbox {
  readonly #socket: OutboxSocket;
  readonly #limitBytes: number;
  readonly #onOverflow: () => void;
  #queue: (Buffer | Slot)[] = [];
  #queuedBytes = 0;
  #slots: Map<string, Slot> | undefined;
  #state: "open" | "held" | "closed";
  #isDue = false;

  constructor(
    socket: OutboxSocket,
    options: { limitBytes: number; onOverflow: () => void; held?: boolean },
  ) {
    this.#socket = socket;
    this.#limitBytes = options.limitBytes;
    this.#onOverflow = options.onOverflow;
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
    if (this.#state === "closed") return;
    if (!this.#socket.writableNeedDrain) {
      this.push(frame);
      return;
    }
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
   * Writes past what is queued; for an outbox that is held. Resolves when the socket takes more.
   *
   * @returns `false` when the connection is closed: there is nobody to write to.
   */
  async writeHistory(frame: Buffer): Promise<boolean> {
    if (this.#isOver()) return false;
    if (!this.#socket.write(frame)) await drained(this.#socket);
    return !this.#isOver();
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
    if (this.#state === "held") this.#queue = [];
    if (lastFrame) this.#queue.push(lastFrame);
    this.#write();
    this.close();
  }

  /** Forgets what is queued and takes no more. */
  close(): void {
    this.#state = "closed";
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#slots = undefined;
  }

  /** One turn's frames in one write. Called once for each turn in which something became due. */
  flush(): void {
    this.#isDue = false;
    if (this.#state !== "open" || this.#queue.length === 0) return;
    if (this.#socket.writableNeedDrain) {
      this.#isDue = true;
      this.#socket.once("drain", () => this.flush());
      return;
    }
    this.#write();
  }

  #write(): void {
    if (this.#queue.length === 0) return;
    if (!this.#socket.writable) {
      this.close();
      return;
    }
    const frames = this.#queue.map((entry) => (Buffer.isBuffer(entry) ? entry : entry.frame));
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#slots?.clear();
    this.#socket.write(frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames));
  }

  #grow(bytes: number): void {
    this.#queuedBytes += bytes;
    // What the kernel takes at once is not pending: a burst within one turn is no slow reader's fault.
    if (this.pendingBytes > this.#limitBytes && this.#state === "open") {
      if (!this.#socket.writableNeedDrain) this.#write();
    }
    if (this.pendingBytes > this.#limitBytes) {
      this.close();
      this.#onOverflow();
      return;
    }
    if (this.#state === "open") this.#schedule();
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    if (due.push(this) === 1) setImmediate(flushDue);
  }

  #isOver(): boolean {
    return this.#state === "closed" || !this.#socket.writable;
  }
}

// One immediate for all outboxes of the process, not one for each.
let due: Outbox[] = [];

function flushDue(): void {
  const outboxes = due;
  due = [];
  for (const outbox of outboxes) outbox.flush();
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

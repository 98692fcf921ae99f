/** A message as a device knows it. */
export interface Heard {
  /** Its `clientMessageId`. */
  readonly key: string;
  readonly messageId: string;
  readonly seq: number;
}

/** What came of one that was heard. `early`: one before it is missing. */
export type Hearing = "shown" | "early" | "old";

/** Messages that wait for one before them. */
const HELD_MAX = 1_000;

/** One conversation on a device's screen: shown in the order of `seq`, each once (PROTOCOL.md C4). */
export class ConversationView {
  readonly #show: (message: Heard) => void;
  readonly #held = new Map<number, Heard>();
  #lastSeq: number;

  /** @param lastSeq the last one that is known already. */
  constructor(lastSeq: number, show: (message: Heard) => void) {
    this.#lastSeq = lastSeq;
    this.#show = show;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get isWaiting(): boolean {
    return this.#held.size > 0;
  }

  /** A message as it came. More early ones than can be held are left to the history. */
  hear(message: Heard): Hearing {
    if (message.seq <= this.#lastSeq || this.#held.has(message.seq)) return "old";
    if (message.seq > this.#lastSeq + 1) {
      if (this.#held.size < HELD_MAX) this.#held.set(message.seq, message);
      return "early";
    }
    this.#next(message);
    this.#release();
    return "shown";
  }

  /** A message of the history, which is whole: what is missing before it does not exist. */
  read(message: Heard): Hearing {
    if (message.seq <= this.#lastSeq) return "old";
    this.#held.delete(message.seq);
    this.#next(message);
    this.#release();
    return "shown";
  }

  /** Shows what is held, since the history does not have what it waits for. */
  giveUp(): void {
    for (const message of [...this.#held.values()].sort((a, b) => a.seq - b.seq))
      this.read(message);
  }

  #next(message: Heard): void {
    this.#lastSeq = message.seq;
    this.#show(message);
  }

  #release(): void {
    for (;;) {
      const message = this.#held.get(this.#lastSeq + 1);
      if (!message) break;
      this.#held.delete(message.seq);
      this.#next(message);
    }
    for (const seq of this.#held.keys()) if (seq <= this.#lastSeq) this.#held.delete(seq);
  }
}

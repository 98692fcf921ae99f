/**
 * The messages of one conversation, once and in the order of their `seq`, whatever order they come in. Before it is known
 * where to begin (`startAt`) everything is held.
 */
export class ConversationOrder<Item> {
  #cursor: number | null;
  #held = new Map<number, Item>();

  /** @param cursor the `seq` of the last message that needs no delivery; `null` when it is not known yet. */
  constructor(cursor: number | null) {
    this.#cursor = cursor;
  }

  get cursor(): number | null {
    return this.#cursor;
  }

  /** How many wait for a message before them. */
  get heldCount(): number {
    return this.#held.size;
  }

  /** The lowest `seq` that waits; `null` when none does. */
  get firstHeld(): number | null {
    return this.#held.size === 0 ? null : Math.min(...this.#held.keys());
  }

  /** @returns what is due now, in order. */
  accept(seq: number, item: Item): Item[] {
    if (this.#cursor !== null && seq <= this.#cursor) return [];
    if (!this.#held.has(seq)) this.#held.set(seq, item);
    return this.#due();
  }

  /** Sets where to begin, unless that is known already. @returns what is due now, in order. */
  startAt(cursor: number): Item[] {
    this.#cursor ??= cursor;
    for (const seq of this.#held.keys()) if (seq <= this.#cursor) this.#held.delete(seq);
    return this.#due();
  }

  #due(): Item[] {
    const due: Item[] = [];
    while (this.#cursor !== null) {
      const item = this.#held.get(this.#cursor + 1);
      if (item === undefined) break;
      this.#cursor += 1;
      this.#held.delete(this.#cursor);
      due.push(item);
    }
    return due;
  }
}

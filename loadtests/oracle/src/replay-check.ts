/**
 * Holds a stream to what its `resume` has said: so many events up to `to` before any after it (PROTOCOL.md S6).
 */
export class ReplayCheck {
  readonly #to: number;
  readonly #promised: number;
  #brought = 0;
  #isOver = false;

  constructor(promised: number, to: number) {
    this.#promised = promised;
    this.#to = to;
  }

  /** @returns what is wrong, once, when the first event after the replay shows that it was short. */
  onEvent(sequence: number): string | null {
    if (this.#isOver) return null;
    if (sequence <= this.#to) {
      this.#brought += 1;
      return null;
    }
    this.#isOver = true;
    if (this.#brought === this.#promised) return null;
    return `replayed ${this.#brought} events instead of ${this.#promised}`;
  }
}

import { integersColumn, numbersColumn } from "./column.ts";

/** Stretches of a group's history that a receiver was told it has got completely. */
export class VerdictRanges {
  readonly #receivers = integersColumn();
  readonly #groups = integersColumn();
  readonly #from = numbersColumn();
  readonly #to = numbersColumn();
  #size = 0;

  add(receiver: number, group: number, { from, to }: { from: number; to: number }): void {
    const index = this.#size++;
    this.#receivers.set(index, receiver);
    this.#groups.set(index, group);
    this.#from.set(index, from);
    this.#to.set(index, to);
  }

  /** Asks for many at once: the ranges are put in order once. */
  lookup(): (receiver: number, group: number, seq: number) => boolean {
    const byReceiver = new Map<number, number[]>();
    for (let index = 0; index < this.#size; index++) {
      const receiver = this.#receivers.get(index);
      const known = byReceiver.get(receiver);
      if (known) known.push(index);
      else byReceiver.set(receiver, [index]);
    }
    return (receiver, group, seq) =>
      (byReceiver.get(receiver) ?? []).some(
        (index) =>
          this.#groups.get(index) === group &&
          seq > this.#from.get(index) &&
          seq <= this.#to.get(index),
      );
  }
}

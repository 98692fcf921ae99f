/** What one receiver has seen of one sender's numbers, which go up by one. */
export interface ArrivalCounts {
  delivered: number;
  duplicated: number;
  outOfOrder: number;
}

/**
 * Checks that each receiver got every number once and in order. A receiver that may skip (conflated positions) must
 * still never go back.
 */
export class Arrivals {
  readonly counts: ArrivalCounts = { delivered: 0, duplicated: 0, outOfOrder: 0 };
  readonly #newest: Int32Array;
  readonly #delivered: Int32Array;

  constructor(receivers: number) {
    this.#newest = new Int32Array(receivers).fill(-1);
    this.#delivered = new Int32Array(receivers);
  }

  accept(receiver: number, number: number): void {
    const newest = this.#newest[receiver] as number;
    if (number === newest) {
      this.counts.duplicated++;
      return;
    }
    if (number < newest) {
      // Late, or once more: either is wrong. Which of the two would take a record of every number to tell.
      this.counts.outOfOrder++;
      return;
    }
    this.#newest[receiver] = number;
    this.#delivered[receiver] = (this.#delivered[receiver] as number) + 1;
    this.counts.delivered++;
  }

  newestOf(receiver: number): number {
    return this.#newest[receiver] as number;
  }

  deliveredTo(receiver: number): number {
    return this.#delivered[receiver] as number;
  }
}

import { numbersColumn } from "./column.ts";

const MAX_GROUPS = 2 ** 26;

/** How far each receiver has come in each group. */
export class Lanes {
  readonly #lanes = new Map<number, number>();
  readonly #newest = numbersColumn();

  /** @returns 0 before the first. */
  newest(receiver: number, group: number): number {
    const lane = this.#lanes.get(receiver * MAX_GROUPS + group);
    return lane === undefined ? 0 : this.#newest.get(lane);
  }

  /** Moves on to `seq`, and tells how it stands to the newest before: never back. */
  advance(receiver: number, group: number, seq: number): "newer" | "same" | "older" {
    const key = receiver * MAX_GROUPS + group;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = this.#lanes.size;
      this.#lanes.set(key, lane);
      this.#newest.set(lane, seq);
      return "newer";
    }
    const newest = this.#newest.get(lane);
    if (seq === newest) return "same";
    if (seq < newest) return "older";
    this.#newest.set(lane, seq);
    return "newer";
  }
}

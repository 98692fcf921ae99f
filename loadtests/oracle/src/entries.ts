import { Bits } from "./bits.ts";
import { bytesColumn, integersColumn, numbersColumn } from "./column.ts";
import { KeyTable } from "./key-table.ts";

/** What is known of an entry, as bits of `state`. */
export const OFFERED = 1;
export const ACKNOWLEDGED = 2;
export const REFUSED = 4;
export const RECEIVED = 8;
export const STORED = 16;
/** Nobody is owed this one: a position, a line of activity. */
export const AT_MOST_ONCE = 32;
/** An event of an order's life: the platform itself offers it, and tells it once it is stored. */
export const LIFE = 64;
/** One that must be told: a deadline that comes. */
export const EXPECTED = 128;

/** Everything that was offered or received, one row of numbers each. Zero is "not known" in every column. */
export class Entries {
  readonly keys = new KeyTable();
  readonly state = bytesColumn();
  readonly offeredAtMs = numbersColumn();
  /** `hash52` of the id that the entry has in the platform. */
  readonly idHash = numbersColumn();
  /** A place in the order of its group. */
  readonly seq = numbersColumn();
  /** Number of the group, and one. */
  readonly group = integersColumn();
  readonly audience = integersColumn();
  /** Where its deliveries begin in `delivered`, one bit for each member of the audience. */
  readonly firstBit = numbersColumn();
  readonly delivered = new Bits();
  #bits = 0;

  get size(): number {
    return this.keys.size;
  }

  is(entry: number, flag: number): boolean {
    return (this.state.get(entry) & flag) !== 0;
  }

  mark(entry: number, flag: number): void {
    this.state.set(entry, this.state.get(entry) | flag);
  }

  unmark(entry: number, flag: number): void {
    this.state.set(entry, this.state.get(entry) & ~flag);
  }

  /** Makes room for `count` deliveries. */
  reserve(entry: number, count: number): void {
    this.firstBit.set(entry, this.#bits);
    this.#bits += count;
  }

  isDelivered(entry: number, slot: number): boolean {
    return this.delivered.has(this.firstBit.get(entry) + slot);
  }

  setDelivered(entry: number, slot: number): void {
    this.delivered.add(this.firstBit.get(entry) + slot);
  }

  get bytes(): number {
    const { keys, state, offeredAtMs, idHash, seq, group, audience, firstBit, delivered } = this;
    const columns = [keys, state, offeredAtMs, idHash, seq, group, audience, firstBit, delivered];
    return columns.reduce((sum, column) => sum + column.bytes, 0);
  }
}

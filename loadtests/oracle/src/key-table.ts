import { integersColumn } from "./column.ts";
import { hash32 } from "./hash.ts";

const PAGE_BYTES = 1 << 20;
const FIRST_SLOTS = 1 << 10;

/**
 * Texts numbered in the order in which they came. Each takes its bytes and one, four for where they stand, four for its
 * hash, and eight to sixteen for its place in the table.
 */
export class KeyTable {
  readonly #pages: Buffer[] = [];
  #usedBytes = PAGE_BYTES;
  /** Page times `PAGE_BYTES` and the offset in it. Each text is one byte of length and its UTF-8. */
  readonly #places = integersColumn();
  readonly #hashes = integersColumn();
  /** Open addressing; the number of a text and one, zero for an empty slot. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns -1 for a text that was never added. */
  find(text: string): number {
    return (this.#slots[this.#slotOf(text, hash32(text))] ?? 0) - 1;
  }

  /**
   * The number of a text that is added when it is new.
   *
   * @throws {RangeError} when it is longer than 255 bytes, or the texts take 4 GiB.
   */
  add(text: string): number {
    const hash = hash32(text);
    const slot = this.#slotOf(text, hash);
    const found = this.#slots[slot] ?? 0;
    if (found > 0) return found - 1;
    const number = this.#size++;
    this.#places.set(number, this.#write(text));
    this.#hashes.set(number, hash);
    this.#slots[slot] = number + 1;
    if (this.#size * 2 > this.#slots.length) this.#rehash();
    return number;
  }

  textOf(number: number): string {
    const place = this.#places.get(number);
    const page = this.#pages[Math.floor(place / PAGE_BYTES)];
    if (!page) throw new RangeError(`no text has the number ${number}`);
    const start = (place % PAGE_BYTES) + 1;
    return page.toString("utf8", start, start + (page[start - 1] ?? 0));
  }

  get bytes(): number {
    const pages = this.#pages.length * PAGE_BYTES;
    return pages + this.#places.bytes + this.#hashes.bytes + this.#slots.byteLength;
  }

  /** Where the text stands, or the empty slot where it belongs. */
  #slotOf(text: string, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0) return slot;
      if (this.#hashes.get(number) === hash && this.#is(number, text)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Compares in place: as good as every lookup ends here, and a string for each would be garbage. */
  #is(number: number, text: string): boolean {
    const place = this.#places.get(number);
    const page = this.#pages[Math.floor(place / PAGE_BYTES)];
    const start = (place % PAGE_BYTES) + 1;
    // Texts of the same bytes have the same characters, one each, or are not ASCII.
    if (page?.[start - 1] !== text.length) return this.textOf(number) === text;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 127 || page[start + index] !== code) return false;
    }
    return true;
  }

  #write(text: string): number {
    const length = Buffer.byteLength(text);
    if (length > 255) throw new RangeError("a key is 255 bytes at most");
    if (this.#usedBytes + length + 1 > PAGE_BYTES) {
      if (this.#pages.length === 4_096) throw new RangeError("the keys take 4 GiB");
      this.#pages.push(Buffer.allocUnsafeSlow(PAGE_BYTES));
      this.#usedBytes = 0;
    }
    const page = this.#pages.at(-1);
    const start = this.#usedBytes;
    page?.writeUInt8(length, start);
    page?.write(text, start + 1);
    this.#usedBytes += length + 1;
    return (this.#pages.length - 1) * PAGE_BYTES + start;
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 0; number < this.#size; number++) {
      let slot = this.#hashes.get(number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

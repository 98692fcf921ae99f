import { bytesColumn } from "./column.ts";

/** Bits by index, up to 2^35 of them. */
export class Bits {
  readonly #bytes = bytesColumn();

  has(index: number): boolean {
    return (this.#bytes.get(Math.floor(index / 8)) & (1 << (index % 8))) !== 0;
  }

  add(index: number): void {
    const byte = Math.floor(index / 8);
    this.#bytes.set(byte, this.#bytes.get(byte) | (1 << (index % 8)));
  }

  get bytes(): number {
    return this.#bytes.bytes;
  }
}

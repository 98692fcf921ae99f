type Numbers = Uint8Array | Uint32Array | Float64Array;

const CHUNK_BITS = 16;
const CHUNK = 1 << CHUNK_BITS;

/** Numbers by index, zero where nothing was set. It grows by chunks, so that growing copies nothing. */
export class Column {
  readonly #make: (length: number) => Numbers;
  readonly #chunks: Numbers[] = [];

  constructor(make: (length: number) => Numbers) {
    this.#make = make;
  }

  get(index: number): number {
    return this.#chunks[index >>> CHUNK_BITS]?.[index & (CHUNK - 1)] ?? 0;
  }

  set(index: number, value: number): void {
    const number = index >>> CHUNK_BITS;
    while (this.#chunks.length <= number) this.#chunks.push(this.#make(CHUNK));
    const chunk = this.#chunks[number];
    if (chunk) chunk[index & (CHUNK - 1)] = value;
  }

  get bytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }
}

export const bytesColumn = () => new Column((length) => new Uint8Array(length));
export const integersColumn = () => new Column((length) => new Uint32Array(length));
export const numbersColumn = () => new Column((length) => new Float64Array(length));

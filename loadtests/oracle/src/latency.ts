/** A bucket is 2 % wide; the first begins at 10 µs and the last holds all above two hours. */
const WIDTH = 1.02;
const FIRST_MS = 0.01;
const BUCKETS = 1_032;

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Durations in milliseconds, as counts: as many as there may be, in 8 KB, to 2 %. */
export class Latency {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #maxMs = 0;

  add(ms: number): void {
    const bucket = Math.ceil(Math.log(Math.max(ms, FIRST_MS) / FIRST_MS) / Math.log(WIDTH));
    const index = Math.min(bucket, BUCKETS - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count += 1;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  get count(): number {
    return this.#count;
  }

  /** @returns `null` when nothing was added. */
  percentiles(): Percentiles | null {
    if (this.#count === 0) return null;
    return { p50: this.#percentile(0.5), p99: this.#percentile(0.99), max: rounded(this.#maxMs) };
  }

  #percentile(share: number): number {
    let left = share * this.#count;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return rounded(Math.min(FIRST_MS * WIDTH ** bucket, this.#maxMs));
    }
    return rounded(this.#maxMs);
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

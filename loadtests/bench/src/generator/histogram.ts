const GROWTH = 1.01;
const SMALLEST_MS = 0.001;
const BUCKETS = 2_500;

/** Durations in buckets that grow by one percent each, from a microsecond up: bounded memory, and percentiles to 1 %. */
export class Histogram {
  readonly #buckets = new Uint32Array(BUCKETS);
  #count = 0;
  #maxMs = 0;

  add(ms: number): void {
    const index = Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH));
    const bucket = Math.min(index, BUCKETS - 1);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    this.#count++;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** `NaN` when nothing was added. */
  percentileMs(percent: number): number {
    const rank = Math.ceil((percent / 100) * this.#count);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#buckets[bucket] as number;
      if (seen >= rank && seen > 0) return Math.min(SMALLEST_MS * GROWTH ** bucket, this.#maxMs);
    }
    return Number.NaN;
  }
}

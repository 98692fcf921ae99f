import { LRUCache } from "lru-cache";

export type RateVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly retryAfterMs: number };

export interface Rate {
  readonly perSecond: number;
  /** How many may come at once after a pause. */
  readonly burst: number;
}

const OK: RateVerdict = { ok: true };

/** One token bucket: full at first. `nowMs` is any clock that only goes forward. */
export class TokenBucket {
  #tokens: number;
  #atMs: number;

  constructor({ burst }: Rate, nowMs: number) {
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  take({ perSecond, burst }: Rate, nowMs: number): RateVerdict {
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1_000) * perSecond);
    this.#atMs = nowMs;
    if (this.#tokens < 1) {
      return { ok: false, retryAfterMs: Math.ceil(((1 - this.#tokens) / perSecond) * 1_000) };
    }
    this.#tokens -= 1;
    return OK;
  }
}

export interface RateLimiter {
  /** Takes one token of `key`'s bucket. */
  take(key: string): RateVerdict;
}

/** Token buckets by key, in this process. The least recently used keys are forgotten past `maxKeys`. */
export function createRateLimiter(
  options: Rate & { maxKeys?: number; now?: () => number },
): RateLimiter {
  const { maxKeys = 100_000, now = performance.now.bind(performance) } = options;
  const buckets = new LRUCache<string, TokenBucket>({ max: maxKeys });
  return {
    take(key) {
      const nowMs = now();
      let bucket = buckets.get(key);
      if (!bucket) {
        bucket = new TokenBucket(options, nowMs);
        buckets.set(key, bucket);
      }
      return bucket.take(options, nowMs);
    },
  };
}

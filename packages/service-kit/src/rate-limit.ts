import { LRUCache } from "lru-cache";

export type RateVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly retryAfterMs: number };

export interface RateLimiter {
  /** Takes one token of `key`'s bucket. */
  take(key: string): RateVerdict;
}

/** Token buckets by key, in this process. The least recently used keys are forgotten past `maxKeys`. */
export function createRateLimiter(options: {
  perSecond: number;
  /** How many may come at once after a pause. */
  burst: number;
  maxKeys?: number;
  now?: () => number;
}): RateLimiter {
  const { perSecond, burst, now = performance.now.bind(performance) } = options;
  const buckets = new LRUCache<string, { tokens: number; atMs: number }>({
    max: options.maxKeys ?? 100_000,
  });
  return {
    take(key) {
      const atMs = now();
      const bucket = buckets.get(key) ?? { tokens: burst, atMs };
      bucket.tokens = Math.min(burst, bucket.tokens + ((atMs - bucket.atMs) / 1_000) * perSecond);
      bucket.atMs = atMs;
      buckets.set(key, bucket);
      if (bucket.tokens < 1) {
        return { ok: false, retryAfterMs: Math.ceil(((1 - bucket.tokens) / perSecond) * 1_000) };
      }
      bucket.tokens -= 1;
      return { ok: true };
    },
  };
}

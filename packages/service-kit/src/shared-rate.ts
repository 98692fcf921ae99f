import type { StoreUser } from "@localstreet/contracts/grants";
import type { PersonId, VendorId } from "@localstreet/contracts/ids";
import { type RateName, rateKey } from "@localstreet/contracts/keys";
import { Problem } from "@localstreet/contracts/problem";
import type { Redis } from "ioredis";
import { LRUCache } from "lru-cache";
import { Counter, type Registry } from "prom-client";
import type { Logger } from "./logger.ts";
import { type Rate, type RateVerdict, TokenBucket } from "./rate-limit.ts";
import { RedisUnavailableError, redisAnswer } from "./redis.ts";

/** A rate of one person or vendor over all replicas of a service. */
export interface SharedRate {
  /** Takes one token of the bucket. It never rejects. */
  take(id: PersonId | VendorId): Promise<RateVerdict>;
}

export interface SharedRates {
  /** @param name tells the rate from the others of this service. */
  open(name: RateName, rate: Rate): SharedRate;
}

/**
 * KEYS: a bucket. ARGV: tokens a second, the burst, tokens that were taken already. The value is the time at which the
 * bucket is full again, in milliseconds by the clock of Redis, so an absent key is a full bucket. Returns in how many
 * milliseconds the bucket has a token, 0 when it has one now.
 */
const PAY_TOKENS = `
local clock = redis.call("TIME")
local nowMs = clock[1] * 1000 + clock[2] / 1000
local tokenMs = 1000 / tonumber(ARGV[1])
local fullAtMs = math.max(tonumber(redis.call("GET", KEYS[1]) or 0), nowMs) + ARGV[3] * tokenMs
redis.call("SET", KEYS[1], string.format("%.3f", fullAtMs), "PX", math.ceil(fullAtMs - nowMs))
return math.max(0, math.ceil(fullAtMs - nowMs - (ARGV[2] - 1) * tokenMs))
`;

interface ScriptedRedis extends Redis {
  payTokens(key: string, perSecond: number, burst: number, owed: number): Promise<number>;
}

/** One bucket as this replica knows it. */
interface Bucket {
  readonly key: string;
  /** What this replica alone let through. */
  readonly own: TokenBucket;
  /** Tokens that were let through and that Redis does not know of. */
  owed: number;
  takenAtMs: number;
  /** Until when the bucket of all replicas is empty, by the clock of `performance`. */
  emptyUntilMs: number;
  paying: Promise<void> | null;
}

/** The part of a burst that a replica lets through before Redis has to know. */
const CREDIT = 1 / 10;
/** After a failure Redis is left alone for so long, so that a Redis that hangs holds up few requests, in milliseconds. */
const LEAVE_ALONE_MS = 1_000;
/** Buckets that a replica remembers of each rate: those that were used last. Each takes about 300 bytes. */
const BUCKETS = 100_000;

/**
 * Rates that all replicas of a service count together, in Redis.
 *
 * A request must not cost a trip to Redis: a backend posts thousands of orders a second. So a replica lets a tenth of the
 * burst through on credit and pays for it in one trip, which begins when the credit is used. A request waits only when it
 * comes before Redis has answered, and no longer than `waitMs`. What a person owes who was quiet for as long as an empty
 * bucket takes to fill is forgotten, so that those who ask little cost Redis nothing. All else is paid for in the long run:
 * only a burst is inexact, by the credit of each replica.
 *
 * Each replica keeps a bucket of its own too. It is asked first, since what it refuses the common one would refuse as
 * well, and it is the only one while Redis is away: limits fail open.
 */
export function openSharedRates(options: {
  redis: Redis;
  service: StoreUser;
  /** How long a request waits for Redis at most, in milliseconds. */
  waitMs: number;
  logger: Logger;
  metrics: Registry;
}): SharedRates {
  const { service, waitMs, logger } = options;
  const registers = [options.metrics];
  const redis = options.redis as ScriptedRedis;
  redis.defineCommand("payTokens", { lua: PAY_TOKENS, numberOfKeys: 1 });
  const refused = new Counter({
    name: "localstreet_rate_limited_total",
    help: "What was refused because a person or a vendor was over a rate, by the rate",
    labelNames: ["rate"],
    registers,
  });
  const unknown = new Counter({
    name: "localstreet_rates_unknown_total",
    help: "Tokens that this replica alone counts, because Redis did not answer",
    registers,
  });
  let leaveAloneUntilMs = 0;
  let isFailing = false;

  /** What Redis answered; `null` when it did not in time. A spell of failures is logged once. */
  async function ask(question: () => Promise<number>): Promise<number | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new RedisUnavailableError("redis is slow")), waitMs);
    });
    try {
      const answer = await Promise.race([redisAnswer(question()), late]);
      isFailing = false;
      return answer;
    } catch (error) {
      const level = error instanceof RedisUnavailableError ? "warn" : "error";
      if (!isFailing) logger[level]({ err: error }, "rates are not counted over all replicas");
      isFailing = true;
      leaveAloneUntilMs = performance.now() + LEAVE_ALONE_MS;
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  function open(name: RateName, rate: Rate): SharedRate {
    const credit = Math.max(1, Math.floor(rate.burst * CREDIT));
    const fillMs = (rate.burst / rate.perSecond) * 1_000;
    const buckets = new LRUCache<string, Bucket>({ max: BUCKETS });

    function bucketOf(id: PersonId | VendorId, nowMs: number): Bucket {
      let bucket = buckets.get(id);
      if (!bucket) {
        const own = new TokenBucket(rate, nowMs);
        const key = rateKey(service, name, id);
        bucket = { key, own, owed: 0, takenAtMs: nowMs, emptyUntilMs: 0, paying: null };
        buckets.set(id, bucket);
      }
      return bucket;
    }

    async function pay(bucket: Bucket): Promise<void> {
      const { key, owed } = bucket;
      const answerMs = await ask(() => redis.payTokens(key, rate.perSecond, rate.burst, owed));
      // A debt that Redis did not take is forgotten: whether it was paid is not known.
      bucket.owed -= owed;
      bucket.paying = null;
      if (answerMs === null) unknown.inc(owed);
      else if (answerMs > 0) bucket.emptyUntilMs = performance.now() + answerMs;
    }

    function refuse(retryAfterMs: number): RateVerdict {
      refused.inc({ rate: name });
      return { ok: false, retryAfterMs: Math.ceil(retryAfterMs) };
    }

    return {
      async take(id) {
        let nowMs = performance.now();
        const bucket = bucketOf(id, nowMs);
        if (nowMs < bucket.emptyUntilMs) return refuse(bucket.emptyUntilMs - nowMs);
        const verdict = bucket.own.take(rate, nowMs);
        if (!verdict.ok) return refuse(verdict.retryAfterMs);
        if (nowMs - bucket.takenAtMs >= fillMs && !bucket.paying) bucket.owed = 0;
        bucket.takenAtMs = nowMs;
        while (bucket.owed >= credit && bucket.paying) {
          await bucket.paying;
          nowMs = performance.now();
          if (nowMs < bucket.emptyUntilMs) return refuse(bucket.emptyUntilMs - nowMs);
        }
        if (nowMs < leaveAloneUntilMs) {
          unknown.inc();
          return verdict;
        }
        bucket.owed += 1;
        if (bucket.owed >= credit) bucket.paying ??= pay(bucket);
        return verdict;
      },
    };
  }

  return { open };
}

/** @throws {Problem} `rate-limited` when there is no token. */
export async function requireToken(rate: SharedRate, id: PersonId | VendorId): Promise<void> {
  const verdict = await rate.take(id);
  if (verdict.ok) return;
  throw new Problem("rate-limited", undefined, { retryAfterMs: verdict.retryAfterMs });
}

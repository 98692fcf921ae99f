import type { PersonId } from "@localstreet/contracts/ids";
import { POSITION_TTL_SECONDS, positionKey, watchedKey } from "@localstreet/contracts/keys";
import { type Position, parseStoredPosition } from "@localstreet/contracts/tracking";
import type { Rate } from "@localstreet/service-kit/rate-limit";
import { redisAnswer } from "@localstreet/service-kit/redis";
import type { Redis } from "ioredis";

/** A position as Redis holds it: `encoded` is also what goes on the bus. */
export interface StoredPosition {
  /** `null` for what this version does not understand. */
  readonly position: Position | null;
  readonly encoded: string;
}

export type ReplaceResult =
  | { readonly outcome: "replaced"; readonly watched: boolean }
  /** Another fix came between: `previous` is what is stored. */
  | { readonly outcome: "changed"; readonly previous: StoredPosition | null }
  /** The driver is over its rate on all replicas together. */
  | { readonly outcome: "limited"; readonly retryAfterMs: number };

export interface PositionStore {
  /** @throws {RedisUnavailableError} */
  read(driverId: PersonId): Promise<StoredPosition | null>;
  /**
   * Stores `next` when `previous` is what is stored and the driver is within its rate (PROTOCOL.md T10), and says whether
   * anybody watches the driver.
   *
   * @throws {RedisUnavailableError}
   */
  replace(
    driverId: PersonId,
    previous: StoredPosition | null,
    next: StoredPosition,
  ): Promise<ReplaceResult>;
}

/**
 * KEYS: position, watch flag. ARGV: expected position, new position, TTL in ms, how long an unknown driver counts as
 * watched in ms, fixes a second, how many at once. Returns what is stored when it is not what was expected; else 1 when
 * somebody watches and 0 when not; when the driver is over its rate -1 minus the time in ms until it no longer is.
 *
 * `fullAt` is when the driver's bucket is full again. It is here so that the rate costs no trip of its own. At the
 * default rate the bucket is full long before the position expires.
 *
 * `knownSince` is when Redis last knew nothing of the driver: it may have lost the watch flag too, so until that had
 * time to come back the driver counts as watched.
 */
const REPLACE_POSITION = `
local stored = redis.call("HMGET", KEYS[1], "position", "knownSince", "fullAt")
local position = stored[1] or ""
if position ~= ARGV[1] then return position end
local clock = redis.call("TIME")
local nowMs = clock[1] * 1000 + math.floor(clock[2] / 1000)
local fixMs = 1000 / ARGV[5]
local fullAt = math.max(tonumber(stored[3]) or 0, nowMs)
local waitMs = math.ceil(fullAt - nowMs - (ARGV[6] - 1) * fixMs)
if waitMs > 0 then return -1 - waitMs end
local knownSince = tonumber(stored[2]) or nowMs
redis.call("HSET", KEYS[1], "position", ARGV[2], "knownSince", string.format("%.0f", knownSince),
  "fullAt", string.format("%.3f", fullAt + fixMs))
redis.call("PEXPIRE", KEYS[1], ARGV[3])
if nowMs - knownSince < tonumber(ARGV[4]) then return 1 end
return redis.call("EXISTS", KEYS[2])
`;

interface ScriptedRedis extends Redis {
  replacePosition(
    positionKey: string,
    watchedKey: string,
    expected: string,
    next: string,
    ttlMs: number,
    unknownDriverMs: number,
    perSecond: number,
    burst: number,
  ): Promise<string | number>;
}

/** The drivers' newest positions in Redis; nobody else writes them (PROTOCOL.md T1). */
export function openPositionStore(
  redis: Redis,
  options: { unknownDriverMs: number; rate: Rate },
): PositionStore {
  const { unknownDriverMs, rate } = options;
  redis.defineCommand("replacePosition", { lua: REPLACE_POSITION, numberOfKeys: 2 });
  const scripted = redis as ScriptedRedis;
  return {
    async read(driverId) {
      return parseStored(await redisAnswer(redis.hget(positionKey(driverId), "position")));
    },
    async replace(driverId, previous, next) {
      const reply = await redisAnswer(
        scripted.replacePosition(
          positionKey(driverId),
          watchedKey(driverId),
          previous?.encoded ?? "",
          next.encoded,
          POSITION_TTL_SECONDS * 1_000,
          unknownDriverMs,
          rate.perSecond,
          rate.burst,
        ),
      );
      if (typeof reply === "string") return { outcome: "changed", previous: parseStored(reply) };
      if (reply < 0) return { outcome: "limited", retryAfterMs: -1 - reply };
      return { outcome: "replaced", watched: reply === 1 };
    },
  };
}

function parseStored(encoded: string | null): StoredPosition | null {
  return encoded ? { encoded, position: parseStoredPosition(encoded) } : null;
}

import type { PersonId } from "@localstreet/contracts/ids";
import { positionKey, WATCHED_TTL_SECONDS, watchedKey } from "@localstreet/contracts/keys";
import { type Position, parseStoredPosition } from "@localstreet/contracts/tracking";
import { redisAnswer } from "@localstreet/service-kit/redis";
import type { Redis } from "ioredis";

export interface Positions {
  /**
   * A driver's newest position; `null` when there was no fix for 30 s.
   *
   * @throws {RedisUnavailableError}
   */
  newest(driverId: PersonId): Promise<Position | null>;
  /**
   * Says that the drivers are watched, for 15 s, and then reads their newest positions: a fix is either among these or
   * comes over the bus.
   *
   * @throws {RedisUnavailableError}
   */
  watch(driverIds: readonly PersonId[]): Promise<ReadonlyMap<PersonId, Position>>;
}

/** Drivers in one round trip, so that many watched drivers do not hold up a single watch. */
const BATCH = 500;

export function createPositions(redis: Redis): Positions {
  async function watchBatch(driverIds: readonly PersonId[]): Promise<(Position | null)[]> {
    const pipeline = redis.pipeline();
    for (const driverId of driverIds) {
      pipeline.set(watchedKey(driverId), "1", "EX", WATCHED_TTL_SECONDS);
      pipeline.hget(positionKey(driverId), "position");
    }
    const replies = (await redisAnswer(pipeline.exec())) ?? [];
    const failed = replies.find(([error]) => error !== null);
    if (failed) await redisAnswer(Promise.reject(failed[0]));
    return driverIds.map((_, index) => parsePosition(replies[index * 2 + 1]?.[1]));
  }

  return {
    async newest(driverId) {
      return parsePosition(await redisAnswer(redis.hget(positionKey(driverId), "position")));
    },
    async watch(driverIds) {
      const found = new Map<PersonId, Position>();
      for (let start = 0; start < driverIds.length; start += BATCH) {
        const batch = driverIds.slice(start, start + BATCH);
        const positions = await watchBatch(batch);
        for (const [index, driverId] of batch.entries()) {
          const position = positions[index];
          if (position) found.set(driverId, position);
        }
      }
      return found;
    },
  };
}

function parsePosition(encoded: unknown): Position | null {
  return typeof encoded === "string" ? parseStoredPosition(encoded) : null;
}

import { Redis } from "ioredis";
import { Gauge } from "prom-client";
import type { CommonConfig, RedisConfig } from "./config.ts";
import type { ServiceKit } from "./service.ts";

/** Redis did not do it: away, too slow, or not taking writes for now. The same request may succeed later. */
export class RedisUnavailableError extends Error {
  override readonly name = "RedisUnavailableError";
  readonly retryable = true;
}

/** Longest wait between two attempts to connect, in milliseconds. */
const RECONNECT_MAX_MS = 1_000;

/**
 * A connection that comes back for as long as the process lives. Commands that are ready while others wait for their
 * answers leave together, in one write. A command fails at once while there is no connection, and after
 * `REDIS_TIMEOUT_MS` when there is no answer, or less than twice that when it waited for others; nothing is sent twice.
 *
 * Resolves when Redis answers, or without it after `REDIS_TIMEOUT_MS`: a store that is away keeps no replica from
 * starting.
 */
export async function openRedis(kit: ServiceKit<CommonConfig & RedisConfig>): Promise<Redis> {
  const { config, logger, metrics, replica } = kit;
  const redis = new Redis(config.REDIS_URL, {
    connectionName: replica,
    // CLIENT SETINFO came with Redis 7.2.
    disableClientInfo: true,
    commandTimeout: config.REDIS_TIMEOUT_MS,
    connectTimeout: config.REDIS_TIMEOUT_MS,
    // A connection whose peer is gone without a word is given up, and with it all that waits on it.
    socketTimeout: config.REDIS_TIMEOUT_MS * 2,
    enableOfflineQueue: false,
    // A write for each command is half of what a command costs.
    enableAutoPipelining: true,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), RECONNECT_MAX_MS),
  });
  let lastFault = "";
  redis.on("ready", () => {
    lastFault = "";
    logger.info("redis is connected");
  });
  redis.on("error", ({ message }: Error) => {
    // The same refusal comes with every attempt: one line tells it. The error itself may hold the password.
    if (message !== lastFault) logger.warn({ reason: message }, "redis is not connected");
    lastFault = message;
  });
  new Gauge({
    name: "localstreet_redis_connected",
    help: "1 while Redis answers",
    registers: [metrics],
    collect() {
      this.set(redis.status === "ready" ? 1 : 0);
    },
  });
  await firstAnswer(redis, config.REDIS_TIMEOUT_MS);
  return redis;
}

function firstAnswer(redis: Redis, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      redis.off("ready", settle);
      resolve();
    };
    const timer = setTimeout(settle, timeoutMs);
    redis.on("ready", settle);
  });
}

/** Replies of a Redis that will answer properly later: starting, failing over, full, or with a disk that fails. */
const PASSING = /^(LOADING|BUSY|MASTERDOWN|READONLY|MISCONF|NOREPLICAS|OOM|TRYAGAIN|CLUSTERDOWN)\b/;

/**
 * The answer of a command.
 *
 * @throws {RedisUnavailableError} when Redis gave none, or one that will pass. Other errors are faults of ours.
 */
export async function redisAnswer<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    if (error instanceof Error && error.name === "ReplyError" && !PASSING.test(error.message)) {
      throw new Error(`redis refused a command: ${error.message}`, { cause: error });
    }
    throw new RedisUnavailableError("redis did not answer", { cause: error });
  }
}

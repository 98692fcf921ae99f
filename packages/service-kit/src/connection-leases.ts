import { randomBytes } from "node:crypto";
import type { StoreUser } from "@localstreet/contracts/grants";
import {
  type ConnectionSubject,
  connectionsKey,
  connectionsKnownSinceKey,
} from "@localstreet/contracts/keys";
import type { ChainableCommander, Redis } from "ioredis";
import { Counter, type Registry } from "prom-client";
import type { Logger } from "./logger.ts";
import { RedisUnavailableError, redisAnswer } from "./redis.ts";

export type LeaseVerdict =
  | "acquired"
  /** Over the limit: nothing is held. */
  | "too-many"
  /** Redis did not say. The connection is held and counted here, and told to Redis later: limits fail open. */
  | "unknown";

/**
 * How many connections are open by subject, over all replicas of a service. Each replica asserts its own counts, under a
 * name that is new with every start and with a lease that ends by itself: those of a killed replica stop counting, and a
 * Redis that lost everything is told again within a refresh.
 */
export interface ConnectionLeases {
  /** Counts one more connection unless there are `limit` already. One trip to Redis; never rejects. */
  acquire(subject: ConnectionSubject, limit?: number): Promise<LeaseVerdict>;
  /** A connection that `acquire` let in is gone. Returns at once; Redis is told after. */
  release(subject: ConnectionSubject): void;
  /** Open connections over all replicas; `null` when not known: Redis is away, or does not know all of them yet. */
  count(subject: ConnectionSubject): Promise<number | null>;
  /** Tells Redis the last changes and lets go of the timer. */
  close(): Promise<void>;
}

/**
 * KEYS: a subject's hash. ARGV: this replica's name, how many it has, the limit (0: none), the lease in ms. Past the limit
 * the newest of them is not counted. Returns whether all are within the limit, and the count over all replicas.
 */
const ASSERT_CONNECTIONS = `
local clock = redis.call("TIME")
local nowMs = clock[1] * 1000 + math.floor(clock[2] / 1000)
local own, limit, leaseMs = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local others = 0
local held = redis.call("HGETALL", KEYS[1])
for i = 1, #held, 2 do
  if held[i] ~= ARGV[1] then
    local count, untilMs = string.match(held[i + 1], "^(%d+) (%d+)$")
    if tonumber(untilMs) > nowMs then
      others = others + tonumber(count)
    else
      redis.call("HDEL", KEYS[1], held[i])
    end
  end
end
local within = 1
if limit > 0 and others + own > limit then
  within, own = 0, own - 1
end
if own > 0 then
  redis.call("HSET", KEYS[1], ARGV[1], string.format("%d %.0f", own, nowMs + leaseMs))
  redis.call("PEXPIRE", KEYS[1], leaseMs)
else
  redis.call("HDEL", KEYS[1], ARGV[1])
end
return {within, others + own}
`;

/** KEYS: the mark. ARGV: the lease in ms. Returns for how many ms this Redis has known the service's connections. */
const KNOWN_FOR = `
local clock = redis.call("TIME")
local nowMs = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call("SET", KEYS[1], string.format("%.0f", nowMs), "NX")
redis.call("PEXPIRE", KEYS[1], ARGV[1])
return nowMs - tonumber(redis.call("GET", KEYS[1]))
`;

type AssertArguments = [key: string, name: string, own: number, limit: number, leaseMs: number];
interface ScriptedPipeline extends ChainableCommander {
  assertConnections(...assertion: AssertArguments): ScriptedPipeline;
  connectionsKnownFor(key: string, leaseMs: number): ScriptedPipeline;
}
interface ScriptedRedis extends Redis {
  assertConnections(...assertion: AssertArguments): Promise<[within: number, count: number]>;
  connectionsKnownFor(key: string, leaseMs: number): Promise<number>;
}

/** Subjects that are told to Redis in one trip: few enough for neither side to be held up. */
const BATCH = 200;

export function openConnectionLeases(options: {
  redis: Redis;
  service: StoreUser;
  /** How long the counts of a replica that says nothing more are believed, in milliseconds. */
  leaseMs: number;
  /** How often every count is told again, in milliseconds: a third of the lease, or less. */
  refreshMs: number;
  logger: Logger;
  metrics: Registry;
}): ConnectionLeases {
  const { service, leaseMs, refreshMs, logger } = options;
  const redis = options.redis as ScriptedRedis;
  redis.defineCommand("assertConnections", { lua: ASSERT_CONNECTIONS, numberOfKeys: 1 });
  redis.defineCommand("connectionsKnownFor", { lua: KNOWN_FOR, numberOfKeys: 1 });
  const name = randomBytes(6).toString("base64url");
  const knownSinceKey = connectionsKnownSinceKey(service);
  /** Connections of this replica, those that are being asked for included. */
  const counts = new Map<ConnectionSubject, number>();
  /** Subjects whose count Redis has not been told. */
  const changed = new Set<ConnectionSubject>();
  const unknown = new Counter({
    name: "localstreet_leases_unknown_total",
    help: "Connections let in without knowing how many there are, because Redis did not say",
    registers: [options.metrics],
  });
  let telling: Promise<void> | undefined;
  let refreshing: Promise<void> | undefined;
  let isFailing = false;

  function assertion(subject: ConnectionSubject, limit = 0): AssertArguments {
    return [connectionsKey(service, subject), name, counts.get(subject) ?? 0, limit, leaseMs];
  }

  function add(subject: ConnectionSubject, change: 1 | -1): number {
    const count = (counts.get(subject) ?? 0) + change;
    if (count > 0) counts.set(subject, count);
    else counts.delete(subject);
    return count;
  }

  /** What Redis answered; `null` when it did not. A spell of failures is logged once. */
  async function ask<T>(question: Promise<T>): Promise<T | null> {
    try {
      const answer = await redisAnswer(question);
      isFailing = false;
      return answer;
    } catch (error) {
      const level = error instanceof RedisUnavailableError ? "warn" : "error";
      if (!isFailing) logger[level]({ err: error }, "connections are not counted");
      isFailing = true;
      return null;
    }
  }

  async function askAll(pipeline: ChainableCommander): Promise<unknown[] | null> {
    const results = await ask(
      pipeline.exec().then((answers) => {
        const failed = answers?.find(([error]) => error)?.[0];
        if (failed) throw failed;
        return answers ?? [];
      }),
    );
    return results?.map(([, answer]) => answer) ?? null;
  }

  async function tell(subjects: readonly ConnectionSubject[]): Promise<void> {
    const pipeline = redis.pipeline() as ScriptedPipeline;
    for (const subject of subjects) pipeline.assertConnections(...assertion(subject));
    await askAll(pipeline);
  }

  async function tellChanges(): Promise<void> {
    // Once for all that changes in this turn.
    await new Promise(setImmediate);
    while (changed.size > 0) {
      const batch = nextBatch(changed.values());
      for (const subject of batch) changed.delete(subject);
      await tell(batch);
    }
  }

  function tellSoon(subject: ConnectionSubject): void {
    changed.add(subject);
    telling ??= tellChanges().finally(() => {
      telling = undefined;
    });
  }

  async function refresh(): Promise<void> {
    await ask(redis.connectionsKnownFor(knownSinceKey, leaseMs));
    const subjects = counts.keys();
    for (let batch = nextBatch(subjects); batch.length > 0; batch = nextBatch(subjects)) {
      await tell(batch);
    }
  }

  function refreshNow(): void {
    refreshing ??= refresh().finally(() => {
      refreshing = undefined;
    });
  }
  const timer = setInterval(refreshNow, refreshMs);
  // After a restart of Redis there is nothing in it.
  redis.on("ready", refreshNow);
  refreshNow();

  return {
    async acquire(subject, limit = 0) {
      const own = add(subject, 1);
      if (limit > 0 && own > limit) {
        add(subject, -1);
        return "too-many";
      }
      changed.delete(subject);
      const answer = await ask(redis.assertConnections(...assertion(subject, limit)));
      if (answer === null) {
        unknown.inc();
        return "unknown";
      }
      if (answer[0] === 1) return "acquired";
      // Unless something came or went meanwhile, Redis has the count that is left.
      if (add(subject, -1) !== own - 1) tellSoon(subject);
      return "too-many";
    },
    release(subject) {
      add(subject, -1);
      tellSoon(subject);
    },
    async count(subject) {
      const pipeline = redis.pipeline() as ScriptedPipeline;
      pipeline.connectionsKnownFor(knownSinceKey, leaseMs);
      pipeline.assertConnections(...assertion(subject));
      const answers = (await askAll(pipeline)) as [number, [number, number]] | null;
      // Every replica has told all of its counts within a refresh; half of one more for those that are late.
      if (answers === null || answers[0] < refreshMs * 1.5) return null;
      return answers[1][1];
    },
    async close() {
      clearInterval(timer);
      redis.off("ready", refreshNow);
      await refreshing;
      await telling;
    },
  };
}

function nextBatch<T>(items: Iterator<T>): T[] {
  const batch: T[] = [];
  while (batch.length < BATCH) {
    const next = items.next();
    if (next.done) break;
    batch.push(next.value);
  }
  return batch;
}

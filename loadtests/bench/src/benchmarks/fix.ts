import { personIdSchema } from "@localstreet/contracts/ids";
import { watchedKey } from "@localstreet/contracts/keys";
import { Redis } from "ioredis";
import type { Benchmark, Contestant } from "../benchmark.ts";
import { baselineContestant } from "../contestants.ts";
import type { RequestSpec } from "../generator/specs.ts";
import type { Lab } from "../lab.ts";
import { readMetric } from "../platform-metrics.ts";
import { platformWay, redisEnv, type Way } from "../platform-paths.ts";

const DRIVERS = 64;
const WATCHED_SECONDS = 3_600;

/** A courier's POST, one request after the other on each of 64 connections. */
export const fixBenchmark: Benchmark = {
  name: "fix",
  title: `POST of a fix, saturated: ${DRIVERS} couriers, each waiting for its answer`,
  contestants: [
    baselineContestant({
      name: "fastify+set",
      program: "fastify-set",
      env: redisEnv,
      load: (lab, { ports }) => loadOf(lab, ports, "fix"),
    }),
    articleFix("article", { KEY_OBJECT: "1" }),
    articleFix("article string secret", {}),
    platformFix("platform", "direct", true),
    platformFix("platform unwatched", "direct", false),
    platformFix("platform+gateway", "gateway", true),
  ],
  columns: [
    { figure: "cpuMicrosEach", title: "CPU µs a request", digits: 1 },
    { figure: "deliveredPerSecond", title: "requests a second", digits: 0 },
    { figure: "p50Ms", title: "p50 ms", digits: 2 },
    { figure: "p99Ms", title: "p99 ms", digits: 2 },
    { figure: "refused", title: "refused", digits: 0 },
    { figure: "busMessages", title: "bus messages", digits: 0 },
  ],
  targets: [
    target("POST of a fix", "platform", "fastify+set", 1.5),
    target("POST of a fix", "platform", "article", 0.33),
    target("a fix nobody watches", "platform unwatched", "platform", 0.8),
    {
      what: "a fix nobody watches, bus messages",
      figure: "busMessages",
      of: "platform unwatched",
      against: null,
      atMost: 0,
    },
  ],
};

function target(what: string, of: string, against: string, atMost: number) {
  return { what, figure: "cpuMicrosEach", of, against, atMost };
}

async function driverTokens(lab: Lab, prefix: string): Promise<string[]> {
  const platform = await lab.platform();
  return await Promise.all(
    Array.from({ length: DRIVERS }, (_, n) =>
      platform.signToken({ role: "driver", sub: `${prefix}-${n}` }),
    ),
  );
}

async function loadOf(lab: Lab, ports: readonly number[], drivers: string): Promise<RequestSpec> {
  return {
    kind: "requests",
    ports,
    connections: DRIVERS,
    method: "POST",
    path: `/api/driver/${drivers}-{n}/location`,
    body: '{"lat":57.70887,"lng":11.97456,"accuracy":12.5,"heading":270.5,"speed":8.4}',
    tokens: await driverTokens(lab, drivers),
    expectStatus: 204,
    warmUpMs: lab.settings.warmUpMs * 2,
    windowMs: lab.settings.windowMs,
  };
}

function articleFix(name: string, env: NodeJS.ProcessEnv): Contestant {
  return baselineContestant({
    name,
    program: "article-fix",
    env: async (lab) => ({
      ...(await redisEnv(lab)),
      ...env,
      JWT_SECRET: lab.jwtSecret,
    }),
    load: (lab, { ports }) => loadOf(lab, ports, "fix"),
  });
}

function platformFix(name: string, way: Way, isWatched: boolean): Contestant {
  return {
    name,
    async start(lab) {
      const service = "tracking-ingest";
      const { platform, port, pids, servicePid } = await platformWay(lab, service, way);
      const { adminUrl } = platform.replica(`${service}-1`);
      const drivers = lab.freshName("driver");
      if (isWatched) await watchAll(platform.stores.redis.url("admin"), drivers);
      return {
        pids,
        profilePid: servicePid,
        load: () => loadOf(lab, [port], drivers),
        inspect: async () => ({
          busMessages: await readMetric(adminUrl, "localstreet_position_signals_total", {
            outcome: "sent",
          }),
        }),
        async stop() {},
      };
    },
  };
}

/** As a fan-out does, but for as long as the benchmark lasts. */
async function watchAll(redisUrl: string, drivers: string): Promise<void> {
  const redis = new Redis(redisUrl);
  try {
    for (let n = 0; n < DRIVERS; n++) {
      await redis.set(
        watchedKey(personIdSchema.parse(`${drivers}-${n}`)),
        "1",
        "EX",
        WATCHED_SECONDS,
      );
    }
  } finally {
    redis.disconnect();
  }
}

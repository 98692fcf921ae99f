import type { Benchmark, Contestant } from "../benchmark.ts";
import { baselineContestant, nchanContestant } from "../contestants.ts";
import type { IdleSpec, SubscriberSpec } from "../generator/specs.ts";
import { deliveryWatchers, platformWay, redisEnv, vendorStreams } from "../platform-paths.ts";
import { restartReplica } from "../restart-replica.ts";

const CONNECTIONS = 3_000;
const SETTLE_MS = 1_000;

/**
 * Memory of silent connections, each with a topic of its own, without garbage. Every server is started anew for each
 * round.
 */
export function idleBenchmark(transport: "sse" | "ws"): Benchmark {
  const isSse = transport === "sse";
  return {
    name: `idle-${transport}`,
    title: `Memory of an idle connection (${transport}): ${(CONNECTIONS * 2) / 3} of them on top of ${CONNECTIONS / 3}, each with a topic of its own`,
    contestants: [
      baselineContestant({
        name: "floor",
        program: `floor-${transport}`,
        fresh: true,
        load: (_lab, { ports }) => plainIdle(transport, ports),
      }),
      nchanContestant(
        (_lab, port) => {
          const load = plainIdle(transport, [port]);
          return { ...load, subscribers: { ...load.subscribers, path: `/${transport}/{run}-{n}` } };
        },
        { fresh: true },
      ),
      baselineContestant({
        name: "article",
        program: isSse ? "article-sse" : "article-socket-io",
        replicas: 2,
        env: redisEnv,
        fresh: true,
        load: (_lab, { ports }) => articleIdle(transport, ports),
      }),
      platformIdle(transport),
    ],
    columns: [{ figure: "bytesEach", title: "bytes (PSS) a connection", digits: 0 }],
    notes: ["Read after a full collection of garbage by the servers that run in Node."],
    targets: [
      {
        what: `memory per idle connection (${transport})`,
        figure: "bytesEach",
        of: "platform",
        against: "floor",
        atMost: 1.25,
      },
    ],
  };
}

function plainIdle(transport: "sse" | "ws", ports: readonly number[]): IdleSpec {
  return {
    kind: "idle",
    settleMs: SETTLE_MS,
    subscribers: {
      transport,
      ports,
      path: "/topics/{n}",
      connections: CONNECTIONS,
      topics: CONNECTIONS,
      ready: "\r\n\r\n",
    },
  };
}

function articleIdle(transport: "sse" | "ws", ports: readonly number[]): IdleSpec {
  const load = plainIdle(transport, ports);
  const changes: Partial<SubscriberSpec> =
    transport === "sse"
      ? { path: "/api/vendor/v{n}/notifications/stream" }
      : {
          path: "/socket.io/?EIO=4&transport=websocket",
          steps: [
            { send: "40", until: '40{"sid"' },
            { send: '42["watch-delivery",{n}]', until: '"watching"' },
          ],
        };
  return { ...load, subscribers: { ...load.subscribers, ...changes } };
}

function platformIdle(transport: "sse" | "ws"): Contestant {
  const service = transport === "sse" ? "notification-sse" : "tracking-fanout";
  return {
    name: "platform",
    async start(lab) {
      const { platform, port, pids } = await platformWay(lab, service, "direct");
      return {
        pids,
        renew: async () => void (await restartReplica(platform, `${service}-1`)),
        async load() {
          const common = { port, connections: CONNECTIONS, topics: CONNECTIONS };
          const subscribers =
            transport === "sse"
              ? await vendorStreams(platform, { ...common, vendors: lab.freshName("v") })
              : await deliveryWatchers(platform, { ...common, deliveries: lab.freshName("d") });
          return { kind: "idle", settleMs: SETTLE_MS, subscribers };
        },
        async stop() {},
      };
    },
  };
}

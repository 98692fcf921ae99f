import type { Benchmark, Contestant } from "../benchmark.ts";
import { baselineContestant, nchanContestant } from "../contestants.ts";
import type { StormSpec, SubscriberSpec } from "../generator/specs.ts";
import { platformWay, redisEnv, vendorStreams } from "../platform-paths.ts";

const CONNECTIONS = 5_000;
/** Connections on their way at the same time; the next one sets out when one has arrived. */
const AT_ONCE = 1_000;

/** All connections cut at once, until all are back. */
export function stormBenchmark(transport: "sse" | "ws"): Benchmark {
  const isSse = transport === "sse";
  return {
    name: `storm-${transport}`,
    title: isSse
      ? "5,000 streams cut at once, until all are back and resumed"
      : "5,000 chat sockets cut at once, until all are back",
    contestants: [
      baselineContestant({
        name: "floor",
        program: `floor-${transport}`,
        load: (_lab, { ports }) => stormOf(plain(transport, ports)),
      }),
      nchanContestant((_lab, port) =>
        stormOf({ ...plain(transport, [port]), path: `/${transport}/{run}-{n}` }),
      ),
      baselineContestant({
        name: "article",
        program: isSse ? "article-sse" : "article-socket-io",
        replicas: 2,
        env: redisEnv,
        load: (_lab, { ports }) =>
          stormOf(
            isSse
              ? { ...plain(transport, ports), path: "/api/vendor/v{n}/notifications/stream" }
              : {
                  ...plain(transport, ports),
                  path: "/socket.io/?EIO=4&transport=websocket",
                  steps: [{ send: "40", until: '40{"sid"' }],
                },
          ),
      }),
      platformStorm(transport),
    ],
    columns: [
      { figure: "backMs", title: "ms until all are back", digits: 0 },
      { figure: "cpuMicros", title: "CPU µs of the server", digits: 0 },
    ],
    targets: [
      {
        what: `5,000 connections cut at once (${transport})`,
        figure: "backMs",
        of: "platform",
        against: "floor",
        atMost: 2,
      },
    ],
    notes: isSse
      ? ["The service of the streams has no connection to Postgres: no query for any resume."]
      : ["Chat clients then ask for what they missed by HTTP; that is not part of this."],
  };
}

function stormOf(subscribers: SubscriberSpec, resumes = false): StormSpec {
  return { kind: "storm", subscribers, atOnce: AT_ONCE, resumes };
}

function plain(transport: "sse" | "ws", ports: readonly number[]): SubscriberSpec {
  return {
    transport,
    ports,
    path: "/topics/{n}",
    connections: CONNECTIONS,
    topics: CONNECTIONS,
    ready: "\r\n\r\n",
  };
}

function platformStorm(transport: "sse" | "ws"): Contestant {
  return {
    name: "platform",
    async start(lab) {
      const service = transport === "sse" ? "notification-sse" : "chat-ws";
      const { platform, port, pids, servicePid } = await platformWay(lab, service, "direct");
      const buyers = await Promise.all(
        Array.from({ length: transport === "ws" ? CONNECTIONS : 0 }, (_, index) =>
          platform.signToken({ role: "buyer", sub: `storm-${index}` }),
        ),
      );
      return {
        pids,
        profilePid: servicePid,
        async load() {
          if (transport === "ws") {
            const tokens = { values: buyers, topicsEach: 1 };
            return stormOf({ ...plain(transport, [port]), path: "/api/chat/ws", tokens });
          }
          const vendors = lab.freshName("v");
          const size = { port, connections: CONNECTIONS, topics: CONNECTIONS };
          return stormOf(await vendorStreams(platform, { ...size, vendors }), true);
        },
        async stop() {},
      };
    },
  };
}

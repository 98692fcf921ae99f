import type { Benchmark, Column, Contestant, Target } from "../benchmark.ts";
import { baselineContestant, limitContestant, nchanContestant } from "../contestants.ts";
import type { FanoutSpec, PublisherSpec, SubscriberSpec } from "../generator/specs.ts";
import type { Lab } from "../lab.ts";
import {
  deliveryWatchers,
  LOCATION_UPDATE_BODY,
  natsEnv,
  natsTopicPublisher,
  ORDER_BODY,
  ORDER_MARKER,
  orderPublisher,
  POSITION_BODY,
  POSITION_MARKER,
  platformWay,
  positionPublisher,
  redisEnv,
  vendorStreams,
  type Way,
} from "../platform-paths.ts";

/** How many listen, to how much. */
export interface FanoutSize {
  readonly connections: number;
  readonly topics: number;
  readonly perSecond: number;
  readonly burst: number;
}

export const FANOUT_COLUMNS: readonly Column[] = [
  { figure: "cpuMicrosEach", title: "CPU µs per message", digits: 2 },
  { figure: "deliveredPerSecond", title: "messages a second", digits: 0 },
  { figure: "p50Ms", title: "p50 ms", digits: 2 },
  { figure: "p99Ms", title: "p99 ms", digits: 2 },
  { figure: "lost", title: "lost", digits: 0 },
  { figure: "duplicated", title: "twice", digits: 0 },
  { figure: "outOfOrder", title: "out of order", digits: 0 },
];

const VENDOR = "0123456789abcdef-0";

/** Everyone who can fan out, over one of the two transports. */
export const FANOUT_CONTESTANTS = {
  limit: limitOf,
  floor: floorOf,
  "floor+nats": floorNatsOf,
  nchan: nchanOf,
  article: articleOf,
  platform: (transport: Transport, size: FanoutSize) => platformOf(transport, size, "direct"),
  "platform+gateway": (transport: Transport, size: FanoutSize) =>
    platformOf(transport, size, "gateway"),
} as const;
export type FanoutName = keyof typeof FANOUT_CONTESTANTS;
type Transport = "sse" | "ws";

export function fanoutBenchmark(options: {
  name: string;
  title: string;
  transport: Transport;
  size: FanoutSize;
  names: readonly FanoutName[];
  targets: readonly Target[];
  notes?: readonly string[];
}): Benchmark {
  const { transport, size, names } = options;
  return {
    ...options,
    contestants: names.map((name) => FANOUT_CONTESTANTS[name](transport, size)),
    columns: FANOUT_COLUMNS,
  };
}

function limitOf(transport: Transport, size: FanoutSize): Contestant {
  return limitContestant((lab, { ports, controlPorts }) =>
    plainLoad(lab, transport, size, ports, {
      via: "control",
      ports: controlPorts,
      frame: transport,
    }),
  );
}

function floorOf(transport: Transport, size: FanoutSize): Contestant {
  return baselineContestant({
    name: "floor",
    program: `floor-${transport}`,
    load: (lab, { ports, controlPorts }) =>
      plainLoad(lab, transport, size, ports, { via: "control", ports: controlPorts }),
  });
}

function floorNatsOf(transport: Transport, size: FanoutSize): Contestant {
  return baselineContestant({
    name: "floor+nats",
    program: `floor-${transport}`,
    env: (lab) => natsEnv(lab, `floor-${transport}`),
    load: async (lab, { ports, env }) =>
      plainLoad(lab, transport, size, ports, await natsTopicPublisher(lab, env)),
  });
}

function nchanOf(transport: Transport, size: FanoutSize): Contestant {
  return nchanContestant((lab, port) => {
    const load = plainLoad(lab, transport, size, [port], {
      via: "http",
      port,
      path: "/pub/{run}-{n}",
    });
    return { ...load, subscribers: { ...load.subscribers, path: `/${transport}/{run}-{n}` } };
  });
}

function articleOf(transport: Transport, size: FanoutSize): Contestant {
  if (transport === "sse") {
    return baselineContestant({
      name: "article",
      program: "article-sse",
      replicas: 2,
      env: redisEnv,
      async load(lab, { ports }) {
        const { redis } = (await lab.platform()).stores;
        const { username, password } = new URL(redis.url("admin"));
        const vendors = lab.freshName("v");
        const load = plainLoad(lab, transport, size, ports, {
          via: "redis",
          port: redis.port,
          user: decodeURIComponent(username),
          password: decodeURIComponent(password),
          channel: `vendor:${vendors}-{n}:notifications`,
        });
        const path = `/api/vendor/${vendors}-{n}/notifications/stream`;
        return { ...load, subscribers: { ...load.subscribers, path } };
      },
    });
  }
  return baselineContestant({
    name: "article",
    program: "article-socket-io",
    replicas: 2,
    env: redisEnv,
    load(lab, { ports, controlPorts }) {
      const load = plainLoad(lab, transport, size, ports, { via: "control", ports: controlPorts });
      const subscribers: SubscriberSpec = {
        ...load.subscribers,
        path: "/socket.io/?EIO=4&transport=websocket",
        steps: [
          { send: "40", until: '40{"sid"' },
          { send: '42["watch-delivery",{n}]', until: '"watching"' },
        ],
      };
      return { ...load, subscribers };
    },
  });
}

function platformOf(transport: Transport, size: FanoutSize, way: Way): Contestant {
  return {
    name: way === "direct" ? "platform" : "platform+gateway",
    async start(lab) {
      const service = transport === "sse" ? "notification-sse" : "tracking-fanout";
      const { platform, port, pids, servicePid } = await platformWay(lab, service, way);
      return {
        pids,
        profilePid: servicePid,
        async load() {
          const common = { port, connections: size.connections, topics: size.topics };
          if (transport === "sse") {
            const vendors = lab.freshName("v");
            return {
              ...plainLoad(lab, transport, size, [port], orderPublisher(platform, vendors)),
              body: ORDER_BODY.replace("{vendor}", `${vendors}-{n}`),
              subscribers: await vendorStreams(platform, { ...common, vendors }),
            };
          }
          const deliveries = lab.freshName("d");
          return {
            ...plainLoad(lab, transport, size, [port], positionPublisher(platform, deliveries)),
            body: POSITION_BODY,
            subscribers: await deliveryWatchers(platform, { ...common, deliveries }),
          };
        },
        async stop() {},
      };
    },
  };
}

/** The load as servers without authentication take it. */
function plainLoad(
  lab: Lab,
  transport: Transport,
  size: FanoutSize,
  ports: readonly number[],
  publisher: PublisherSpec,
): FanoutSpec {
  const isSse = transport === "sse";
  return {
    kind: "fanout",
    subscribers: {
      transport,
      ports,
      path: "/topics/{n}",
      connections: size.connections,
      topics: size.topics,
      ready: "\r\n\r\n",
    },
    publisher,
    body: isSse ? ORDER_BODY.replace("{vendor}", VENDOR) : LOCATION_UPDATE_BODY,
    marker: isSse ? ORDER_MARKER : POSITION_MARKER,
    perSecond: size.perSecond,
    burst: size.burst,
    warmUpMs: lab.settings.warmUpMs,
    windowMs: lab.settings.windowMs,
  };
}

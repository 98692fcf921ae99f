import type { Benchmark, Target } from "../benchmark.ts";
import { chatBenchmark, chatHalfBenchmark } from "./chat.ts";
import { fanoutBenchmark } from "./fanout.ts";
import { fixBenchmark } from "./fix.ts";
import { idleBenchmark } from "./idle.ts";
import { orderBenchmark } from "./order.ts";
import { rateBenchmark } from "./rate.ts";
import { replayBenchmark } from "./replay.ts";
import { startBenchmark } from "./start.ts";
import { stormBenchmark } from "./storm.ts";

const cpuTarget = (what: string, against: string, atMost: number): Target => ({
  what,
  figure: "cpuMicrosEach",
  of: "platform",
  against,
  atMost,
});

const TRANSPORTS = ["sse", "ws"] as const;

/** Every benchmark by name, in the order in which `all` runs them. */
export const BENCHMARKS: readonly Benchmark[] = [
  ...TRANSPORTS.map((transport) =>
    fanoutBenchmark({
      name: `fanout-${transport}`,
      title: `One topic, 1,000 subscribers, 40 messages a second, one at a time (${transport})`,
      transport,
      size: { connections: 1_000, topics: 1, perSecond: 40, burst: 1 },
      names: ["limit", "floor", "floor+nats", "nchan", "article", "platform", "platform+gateway"],
      targets: [
        cpuTarget(`fan-out to 1,000 (${transport})`, "floor", 1.15),
        cpuTarget(`fan-out to 1,000 (${transport})`, "nchan", 1),
        cpuTarget(`fan-out to 1,000 (${transport})`, "article", 0.5),
      ],
    }),
  ),
  ...TRANSPORTS.map((transport) =>
    fanoutBenchmark({
      name: `burst-${transport}`,
      title: `One topic, 1,000 subscribers, 50 messages a second in bursts of five (${transport})`,
      transport,
      size: { connections: 1_000, topics: 1, perSecond: 50, burst: 5 },
      names: ["limit", "floor", "platform"],
      targets: [cpuTarget(`fan-out to 1,000 in bursts of five (${transport})`, "limit", 0.6)],
    }),
  ),
  ...TRANSPORTS.map((transport) =>
    fanoutBenchmark({
      name: `large-${transport}`,
      title: `One topic, 10,000 subscribers, 4 messages a second, one at a time (${transport})`,
      transport,
      size: { connections: 10_000, topics: 1, perSecond: 4, burst: 1 },
      names: ["limit", "floor", "platform"],
      targets: [cpuTarget(`fan-out to 10,000 (${transport})`, "limit", 1.6)],
      notes: [
        "Not through the gateway: its workers hold two descriptors for each client and stop below 10,000.",
      ],
    }),
  ),
  ...TRANSPORTS.map((transport) =>
    fanoutBenchmark({
      name: `topics-${transport}`,
      title: `2,000 topics with one subscriber each, 1,000 messages a second (${transport})`,
      transport,
      size: { connections: 2_000, topics: 2_000, perSecond: 1_000, burst: 1 },
      names: ["limit", "floor+nats", "article", "platform"],
      targets: [cpuTarget(`2,000 topics of one (${transport})`, "floor+nats", 1.2)],
    }),
  ),
  rateBenchmark,
  ...TRANSPORTS.map(idleBenchmark),
  ...TRANSPORTS.map(stormBenchmark),
  replayBenchmark({
    name: "replay-recent",
    title: "200 streams come back at once for the last 100 events, which are seconds old",
    what: "replay of what is recent",
    streams: 200,
    events: 100,
    atLeast: 1,
  }),
  replayBenchmark({
    name: "replay-log",
    title: "10 streams come back at once for 2,000 events",
    what: "replay from the log",
    streams: 10,
    events: 2_000,
    atLeast: 0.3,
  }),
  fixBenchmark,
  orderBenchmark,
  chatBenchmark,
  chatHalfBenchmark,
  startBenchmark,
];

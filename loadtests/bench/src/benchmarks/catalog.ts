import type { Benchmark, Target } from "../benchmark.ts";
import { fanoutBenchmark } from "./fanout.ts";

const cpuTarget = (what: string, against: string, atMost: number): Target => ({
  what,
  figure: "cpuMicrosEach",
  of: "platform",
  against,
  atMost,
});

const ONE_THOUSAND = { connections: 1_000, topics: 1, perSecond: 20, burst: 1 };

/** Every benchmark by name, in the order in which `all` runs them. */
export const BENCHMARKS: readonly Benchmark[] = [
  ...(["sse", "ws"] as const).map((transport) =>
    fanoutBenchmark({
      name: `fanout-${transport}`,
      title: `One topic, 1,000 subscribers, 20 messages a second, one at a time (${transport})`,
      transport,
      size: ONE_THOUSAND,
      names: ["limit", "floor", "floor+nats", "nchan", "article", "platform", "platform+gateway"],
      targets: [
        cpuTarget("fan-out to 1,000", "floor", 1.15),
        cpuTarget("fan-out to 1,000", "nchan", 1),
        cpuTarget("fan-out to 1,000", "article", 0.5),
      ],
    }),
  ),
];

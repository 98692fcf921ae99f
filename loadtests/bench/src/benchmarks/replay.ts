import type { Benchmark, Target } from "../benchmark.ts";
import {
  ORDER_BODY,
  ORDER_MARKER,
  orderPublisher,
  platformWay,
  vendorStreams,
} from "../platform-paths.ts";

/** What streams get that come back, beside what live ones get. */
export function replayBenchmark(options: {
  name: string;
  title: string;
  what: string;
  streams: number;
  events: number;
  atLeast: number;
}): Benchmark {
  const { name, title, what, streams, events, atLeast } = options;
  const own = { of: "platform", against: "platform" };
  const targets: Target[] = [
    {
      what: `${what}, events a second`,
      figure: "replayPerSecond",
      ...own,
      againstFigure: "livePerSecond",
      atLeast,
    },
    {
      what: `${what}, p99 of other streams meanwhile`,
      figure: "busyP99Ms",
      ...own,
      againstFigure: "calmP99Ms",
      atMost: 1.2,
    },
  ];
  return {
    name,
    title,
    contestants: [
      {
        name: "platform",
        async start(lab) {
          const service = "notification-sse";
          const { platform, port, pids, servicePid } = await platformWay(lab, service, "direct");
          return {
            pids,
            profilePid: servicePid,
            async load() {
              const vendors = lab.freshName("v");
              const others = lab.freshName("w");
              const size = { port, topics: 1 };
              return {
                kind: "replay",
                subscribers: await vendorStreams(platform, {
                  ...size,
                  vendors,
                  connections: streams,
                }),
                publisher: orderPublisher(platform, vendors),
                body: ORDER_BODY.replace("{vendor}", `${vendors}-{n}`),
                marker: ORDER_MARKER,
                events,
                others: await vendorStreams(platform, {
                  ...size,
                  vendors: others,
                  connections: 10,
                }),
                othersPublisher: orderPublisher(platform, others),
                othersPerSecond: 100,
                windowMs: lab.settings.windowMs,
              };
            },
            async stop() {},
          };
        },
      },
    ],
    columns: [
      { figure: "replayPerSecond", title: "events a second, replayed", digits: 0 },
      { figure: "livePerSecond", title: "events a second, live", digits: 0 },
      { figure: "busyP99Ms", title: "p99 ms of others during the replay", digits: 2 },
      { figure: "calmP99Ms", title: "p99 ms of others before", digits: 2 },
      { figure: "cpuMicrosEach", title: "CPU µs per replayed event", digits: 1 },
      { figure: "lost", title: "lost", digits: 0 },
      { figure: "duplicated", title: "twice", digits: 0 },
      { figure: "outOfOrder", title: "out of order", digits: 0 },
    ],
    targets,
  };
}

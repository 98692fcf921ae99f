import type { Benchmark } from "../benchmark.ts";
import { restartReplica } from "../restart-replica.ts";

const SERVICES = ["notification-sse", "chat-ws", "tracking-ingest", "tracking-fanout"] as const;

/** How soon a service is ready. */
export const startBenchmark: Benchmark = {
  name: "start",
  title: "Start of a service, from its process to /readyz",
  contestants: SERVICES.map((name) => ({
    name,
    async start(lab) {
      const platform = await lab.platform();
      return {
        pids: () => [],
        measure: async () => ({ startMs: await restartReplica(platform, `${name}-1`) }),
        async stop() {},
      };
    },
  })),
  columns: [{ figure: "startMs", title: "ms", digits: 0 }],
  targets: SERVICES.map((name) => ({
    what: `start of ${name}, ms`,
    figure: "startMs",
    of: name,
    against: null,
    atMost: 1_000,
  })),
};

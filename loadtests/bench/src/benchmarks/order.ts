import { runToFigures } from "../baseline-process.ts";
import type { Benchmark, Contestant } from "../benchmark.ts";
import { readMetric } from "../platform-metrics.ts";
import { natsEnv, platformWay, type Way } from "../platform-paths.ts";

const CONNECTIONS = 128;

/** A backend's POST of an order, acknowledged by JetStream. */
export const orderBenchmark: Benchmark = {
  name: "order",
  title: `POST of an order, saturated: ${CONNECTIONS} connections, each waiting for its 202; no vendor has a stream open`,
  contestants: [
    {
      name: "publish loop",
      async start(lab) {
        const env = await natsEnv(lab, "loop");
        return {
          pids: () => [],
          measure: () =>
            runToFigures({
              name: "jetstream-loop",
              dir: lab.dir,
              program: "jetstream-loop",
              env: {
                ...env,
                VENDOR: lab.freshName("v"),
                SECONDS: String(lab.settings.windowMs / 1_000),
              },
            }),
          async stop() {},
        };
      },
    },
    platformOrder("platform", "direct"),
    platformOrder("platform+gateway", "gateway"),
  ],
  columns: [
    { figure: "deliveredPerSecond", title: "acknowledged a second", digits: 0 },
    { figure: "cpuMicrosEach", title: "CPU µs each", digits: 1 },
    { figure: "storeMicrosEach", title: "NATS CPU µs each", digits: 1 },
    { figure: "p50Ms", title: "p50 ms", digits: 2 },
    { figure: "p99Ms", title: "p99 ms", digits: 2 },
    { figure: "refused", title: "refused", digits: 0 },
    { figure: "busMessages", title: "messages received from NATS", digits: 0 },
  ],
  targets: [
    {
      what: "order POST acknowledged",
      figure: "deliveredPerSecond",
      of: "platform",
      against: "publish loop",
      atLeast: 0.6,
    },
    {
      what: "events of vendors without a client on this replica, messages received from NATS",
      figure: "busMessages",
      of: "platform",
      against: null,
      atMost: 0,
    },
  ],
};

function platformOrder(name: string, way: Way): Contestant {
  return {
    name,
    async start(lab) {
      const service = "notification-sse";
      const { platform, port, pids, servicePid } = await platformWay(lab, service, way);
      const { adminUrl } = platform.replica(`${service}-1`);
      const token = await platform.signToken({ role: "service", sub: "backend" });
      return {
        pids,
        storePids: () => [platform.stores.nats.pid],
        profilePid: servicePid,
        load: () => ({
          kind: "requests",
          ports: [port],
          connections: CONNECTIONS,
          method: "POST",
          path: `/api/vendor/${lab.freshName("v")}-{n}/orders`,
          body: '{"orderId":"{run}-{digits}","buyerId":"ada","items":[{"name":"Cardamom bun","quantity":2,"unitPrice":3500}],"total":7000,"currency":"SEK"}',
          tokens: [token],
          expectStatus: 202,
          warmUpMs: lab.settings.warmUpMs * 2,
          windowMs: lab.settings.windowMs,
        }),
        inspect: async () => ({
          busMessages: await readMetric(adminUrl, "localstreet_bus_messages_received_total"),
        }),
        async stop() {},
      };
    },
  };
}

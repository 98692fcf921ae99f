import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import { sumMetric } from "../replica-metrics.ts";
import type { Stage } from "../stage.ts";
import { timeUntil } from "../wait.ts";

const DETECTED_MS = 35_000;
/** Timers of some hundred connections. */
const SLACK_MS = 2_000;

export const halfOpenClients: Fault = {
  name: "half-open-clients",
  harm: "every client's connection is gone on the server's side, without a word to the client",
  promise: "clients notice within 35 s, and nothing is lost",
  async run({ network, load, checkWithin, note }) {
    const { wanted, lost } = load.presence;
    network.clients.halfOpen("client");
    const noticed = () => load.presence.lost - lost >= wanted;
    const ms = await timeUntil(noticed, DETECTED_MS * 2.5);
    note(`${load.presence.lost - lost} of ${wanted} had noticed in the end`);
    checkWithin("all clients notice", ms, DETECTED_MS);
  },
};

export const halfOpenServers: Fault = {
  name: "half-open-servers",
  harm: "every client is gone without a word to the server, and comes back on a new connection",
  promise: "the services notice within 35 s, and sockets return to the baseline",
  async run({ network, load, platform, checkWithin, note }) {
    const sockets = () => sumMetric(platform.replicas, "localstreet_sockets_open");
    const streams = () => sumMetric(platform.replicas, "localstreet_streams_open");
    const [socketsBefore, streamsBefore] = [await sockets(), await streams()];
    network.clients.halfOpen("server");
    await load.presence.timeUntilAllOpen(20_000);
    note(`${await sockets()} sockets instead of ${socketsBefore} right after it`);
    const isBack = async () => (await sockets()) <= socketsBefore;
    const ms = await timeUntil(isBack, DETECTED_MS * 2, 200);
    checkWithin("sockets are back at the baseline", ms, DETECTED_MS + SLACK_MS);
    // This proxy's TCP takes the bytes that nobody reads, so nothing that only writes can notice.
    note(`${(await streams()) - streamsBefore} streams of the dead are still written to`);
  },
};

const PARTITION_MS = 20_000;

export const partition: Fault = {
  name: "partition",
  harm: `one notification-sse and one chat-ws hear and reach NATS no more, for ${PARTITION_MS / 1_000} s; no connection is closed`,
  promise:
    "noticed within 35 s on both sides; connections and subscriptions return to the baseline; nothing is lost",
  run: (stage) => partitioned(stage, "both"),
};

export const partitionOneWay: Fault = {
  name: "partition-one-way",
  harm: `one notification-sse and one chat-ws reach NATS and hear nothing from it, for ${PARTITION_MS / 1_000} s`,
  promise: partition.promise,
  run: (stage) => partitioned(stage, "client"),
};

async function partitioned(stage: Stage, to: "both" | "client"): Promise<void> {
  const { network, checkWithin, note } = stage;
  const cutOff = (["notification-sse", "chat-ws"] as const).flatMap((service) =>
    stage.replicasOf(service).slice(0, 1),
  );
  const before = await readNats(stage);
  const ways = cutOff.flatMap((replica) => network.between(replica.name, "nats"));
  for (const way of ways) way.blackhole(to);
  const isNoticed = async () => (await sumMetric(cutOff, "localstreet_bus_connected")) === 0;
  const startedAtMs = performance.now();
  const noticedMs = await timeUntil(isNoticed, DETECTED_MS, 100);
  checkWithin("the replicas notice", noticedMs, DETECTED_MS);
  await sleep(Math.max(0, PARTITION_MS - (performance.now() - startedAtMs)));
  for (const way of ways) way.heal();
  let after = before;
  const isBaseline = async () => {
    after = await readNats(stage);
    return after.connections === before.connections && after.subscriptions === before.subscriptions;
  };
  const baselineMs = await timeUntil(isBaseline, DETECTED_MS, 200);
  checkWithin("NATS is back at its baseline", baselineMs, DETECTED_MS);
  note(
    `${after.connections} connections and ${after.subscriptions} subscriptions at NATS, ${before.connections} and ${before.subscriptions} before`,
  );
}

/** Over all nodes. */
async function readNats({
  platform,
}: Stage): Promise<{ connections: number; subscriptions: number }> {
  const sums = { connections: 0, subscriptions: 0 };
  for (const node of platform.stores.natsNodes) {
    const connz = await readJson(`${node.monitorUrl()}/connz?subs=1&limit=10000`);
    for (const connection of connz.connections as { subscriptions: number }[]) {
      sums.connections += 1;
      sums.subscriptions += connection.subscriptions;
    }
  }
  return sums;
}

async function readJson(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return (await response.json()) as Record<string, unknown>;
}

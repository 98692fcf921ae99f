import { openBackend } from "@localstreet/oracle/backend";
import { formatVerdict, judge } from "@localstreet/oracle/judge";
import { createLedger } from "@localstreet/oracle/ledger";
import { settle } from "@localstreet/oracle/settle";
import { readStored } from "@localstreet/oracle/stored";
import { createStreamRecorder } from "@localstreet/oracle/stream-recorder";
import type { Fault } from "../fault.ts";
import { NO_LOAD } from "../load.ts";
import { freshId } from "../marketplace.ts";
import { chromiumEventSource } from "../seam/chromium.ts";
import { curl } from "../seam/curl.ts";
import { eventsourcePackage } from "../seam/eventsource-package.ts";
import { ownClient } from "../seam/own-client.ts";
import type { SeamClient } from "../seam/seam-client.ts";
import type { Stage } from "../stage.ts";
import { startTcpProxy } from "../tcp-proxy.ts";
import { timeUntil } from "../wait.ts";

const CLIENTS: readonly SeamClient[] = [ownClient, eventsourcePackage, chromiumEventSource, curl];
const RECONNECTS = 1_000;
/** As many as a browser opens to one host, less one for what it asks beside them. */
const STREAMS = 5;
const CUT_EVERY_MS = 30;
/** Orders under way at a time: each is followed by another as soon as it is answered. */
const POSTING = 8;
const LIMIT_MS = 180_000;
const SETTLED_MS = 20_000;

const HEAD = [
  ...["client", "reconnects", "orders", "a second", "deliveries"],
  ...["lost", "twice", "in disorder", "verdicts"],
];

export const seam: Fault = {
  name: "seam",
  harm: `connections are reset ${RECONNECTS.toLocaleString("en")} times while orders come as fast as they are taken; by our own client and by three that are not ours, one after the other`,
  promise: "where replay meets live there is no loss, no duplicate and no disorder",
  load: NO_LOAD,
  // Streams that come back after seconds would be cut too seldom. Nobody answers these orders.
  env: { RETRY_MIN_MS: "10", RETRY_MAX_MS: "40", ORDER_REMIND_AFTER_MS: "600000" },
  async run(stage) {
    const rows: string[][] = [];
    for (const client of CLIENTS) rows.push(await cutAndCount(stage, client));
    for (const cells of [HEAD, HEAD.map(() => "---"), ...rows]) {
      stage.say(`    | ${cells.join(" | ")} |`);
    }
  },
};

/** @returns a row of the table. */
async function cutAndCount(stage: Stage, client: SeamClient): Promise<string[]> {
  const { platform, load } = stage;
  const { target } = load;
  const { hostname, port } = new URL(platform.url);
  const proxy = await startTcpProxy({ target: { host: hostname, port: Number(port) } });
  const ledger = createLedger({ path: "orders" });
  const vendorId = freshId("vendor");
  const recorders = Array.from({ length: STREAMS }, (_, stream) =>
    createStreamRecorder({ ledger, receiver: `${client.name} ${stream}`, vendorId }),
  );
  const staff = { role: "vendor", sub: `staff-of-${vendorId}`, vendors: [vendorId] } as const;
  const reconnects = () =>
    recorders.reduce((sum, { connections }) => sum + Math.max(0, connections - 1), 0);
  const streams = await client.open({
    origin: `http://127.0.0.1:${proxy.port}`,
    path: `/api/vendor/${vendorId}/notifications/stream`,
    token: await platform.signToken({ ...staff, expiresInSeconds: 3_600 }),
    count: STREAMS,
    hear: (stream, event) => recorders[stream]?.hear(event),
  });
  try {
    const areOpen = () => recorders.every(({ connections }) => connections > 0);
    if ((await timeUntil(areOpen, 20_000)) === null) throw new Error(`${client.name} gets not in`);
    const backend = openBackend({ target, ledgers: [ledger] });
    const startedAtMs = performance.now();
    let isOver = false;
    const posting = Array.from({ length: POSTING }, async () => {
      while (!isOver) await backend.postOrder({ vendorId });
    });
    const cutting = setInterval(() => proxy.resetAny(), CUT_EVERY_MS);
    await timeUntil(() => reconnects() >= RECONNECTS, LIMIT_MS, 50);
    clearInterval(cutting);
    isOver = true;
    await Promise.all(posting);
    const seconds = (performance.now() - startedAtMs) / 1_000;
    await settle([ledger], { timeoutMs: SETTLED_MS, quietMs: 1_000 });
    await readStored(ledger, { target, vendorIds: [vendorId] });
    const verdict = judge(ledger);
    const { ok, acknowledged, delivered, lost, duplicated, outOfOrder, verdicts } = verdict;
    const { gap = 0, reset = 0 } = verdicts;
    const words = Object.entries(verdicts).map(([status, count]) => `${count} ${status}`);
    const isRight = ok && gap + reset === 0 && reconnects() >= RECONNECTS;
    stage.check(`${client.name} misses nothing`, isRight, formatVerdict(verdict));
    const counts = [reconnects(), acknowledged, Math.round(acknowledged / seconds), delivered];
    return [
      client.name,
      ...[...counts, lost, duplicated, outOfOrder].map((count) => count.toLocaleString("en")),
      words.join(", "),
    ];
  } finally {
    await streams.close();
    await proxy.close();
  }
}

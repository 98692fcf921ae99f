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
const STREAMS = 5;
/** Each stream is cut within this time after its `resume`: in its replay, where that ends, or after it. */
const CUT_WITHIN_MS = 120;
/** Orders under way at a time: each is followed by another as soon as it is answered. */
const POSTING = 8;
const LIMIT_MS = 120_000;
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
  const gateway = { host: hostname, port: Number(port) };
  const proxies = await Promise.all(
    Array.from({ length: STREAMS }, () => startTcpProxy({ target: gateway })),
  );
  let isCutting = false;
  const ledger = createLedger({ path: "orders" });
  const vendorId = freshId("vendor");
  const recorders = Array.from({ length: STREAMS }, (_, stream) =>
    createStreamRecorder({ ledger, receiver: `${client.name} ${stream}`, vendorId }),
  );
  const staff = { role: "vendor", sub: `staff-of-${vendorId}`, vendors: [vendorId] } as const;
  const reconnects = () =>
    recorders.reduce((sum, { connections }) => sum + Math.max(0, connections - 1), 0);
  const cutSoon = (stream: number) => {
    setTimeout(() => {
      if (isCutting) proxies[stream]?.reset();
    }, Math.random() * CUT_WITHIN_MS);
  };
  const streams = await client.open({
    origins: proxies.map((proxy) => `http://127.0.0.1:${proxy.port}`),
    path: `/api/vendor/${vendorId}/notifications/stream`,
    token: await platform.signToken({ ...staff, expiresInSeconds: 3_600 }),
    hear(stream, event) {
      recorders[stream]?.hear(event);
      if (event.event === "resume" && isCutting) cutSoon(stream);
    },
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
    isCutting = true;
    for (const stream of recorders.keys()) cutSoon(stream);
    await timeUntil(() => reconnects() >= RECONNECTS, LIMIT_MS, 50);
    isCutting = false;
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
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
}

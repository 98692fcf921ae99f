// One process of the generator: started by hold.ts, and over when that is over.
import { setTimeout as sleep } from "node:timers/promises";
import { judge } from "@localstreet/oracle/judge";
import { settle } from "@localstreet/oracle/settle";
import { readStored } from "@localstreet/oracle/stored";
import { openTarget } from "@localstreet/oracle/target";
import { TimedLedger } from "@localstreet/run-report/timed-ledger";
import { createTimeline } from "@localstreet/run-report/timeline";
import { signToken } from "@localstreet/service-kit/sign-token";
import { createCaller } from "./caller.ts";
import { createLineCounts } from "./kept-line.ts";
import type { FromWorker, ToWorker, WorkerPlan } from "./messages.ts";
import { openShop, type Shop } from "./shop.ts";
import { CONNECTIONS_PER_SHOP } from "./shop-kit.ts";

const COUNT_MS = 1_000;
const TOKEN_SECONDS = 24 * 3_600;

const timeline = createTimeline();
const ledgers = {
  orders: new TimedLedger("orders", timeline),
  dashboard: new TimedLedger("dashboard", timeline),
  chat: new TimedLedger("chat", timeline),
  tracking: new TimedLedger("tracking", timeline),
};
const counts = createLineCounts();
const shops: Shop[] = [];
let plan: WorkerPlan | undefined;

const tell = (message: FromWorker) => void process.send?.(message);

async function open(given: WorkerPlan): Promise<void> {
  plan = given;
  const { secret, issuer } = given;
  const { addresses, perAddress, callerAddress } = given.sources;
  const target = new URL(given.target);
  let used = 0;
  const nextAddress = () => addresses[Math.floor(used++ / perAddress) % addresses.length];
  const caller = createCaller(target, callerAddress);
  const sign = (
    role: Parameters<typeof signToken>[0]["role"],
    sub: string,
    vendors?: readonly string[],
  ) =>
    signToken({
      secret,
      role,
      sub,
      expiresInSeconds: TOKEN_SECONDS,
      ...(vendors === undefined ? {} : { vendors }),
      ...(issuer === undefined ? {} : { issuer }),
    });
  const serviceToken = await sign("service", "generator");
  const shopMs = (1_000 * CONNECTIONS_PER_SHOP) / given.opensPerSecond;
  const startedAtMs = performance.now();
  for (let index = 0; index < given.sources.shops; index++) {
    const name = `${given.name}-${index}`;
    const kit = {
      name,
      vendorId: `${name}-shop`,
      target,
      counts,
      caller,
      serviceToken,
      sign,
      nextAddress,
    };
    shops.push(await openShop(kit, ledgers));
    const aheadMs = startedAtMs + (index + 1) * shopMs - performance.now();
    if (aheadMs > 0) await sleep(aheadMs);
  }
  await Promise.all(shops.map(({ opened }) => opened));
  tell({ type: "opened" });
}

async function finish({ target, secret, issuer, settleMs }: WorkerPlan): Promise<void> {
  for (const shop of shops) shop.rest();
  const all = Object.values(ledgers);
  await settle(all, { timeoutMs: settleMs });
  const audit = {
    target: openTarget({ url: target, secret, ...(issuer === undefined ? {} : { issuer }) }),
    vendorIds: shops.map(({ vendorId }) => vendorId),
  };
  const faults: string[] = [];
  for (const ledger of [ledgers.orders, ledgers.chat]) {
    // Without an answer what is stored stays unsaid; it is no reason to say nothing.
    await readStored(ledger, audit).catch((error: Error) => {
      ledger.isStoredKnown = false;
      faults.push(`what is stored of ${ledger.path} could not be read: ${error.message}`);
    });
  }
  const verdicts = all.map((ledger) => judge(ledger));
  await Promise.all(shops.map((shop) => shop.close()));
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / 1_000;
  const last: FromWorker = {
    type: "finished",
    verdicts,
    faults,
    timeline: timeline.record(),
    cpuMs,
  };
  process.send?.(last, () => process.exit());
}

function count(): void {
  timeline.connections(Date.now(), counts.open);
  const { open, cut, failures } = counts;
  tell({ type: "count", open, cut, failures: Object.fromEntries(failures) });
}

async function obey(order: ToWorker): Promise<void> {
  if (order.type === "open") {
    setInterval(count, COUNT_MS);
    await open(order.plan);
  } else if (!plan) {
    throw new Error("a worker without a plan");
  } else if (order.type === "work") {
    for (const shop of shops) shop.work(plan.intervalMs);
  } else {
    count();
    await finish(plan);
  }
}

process.on("message", (order: ToWorker) => {
  obey(order).catch((error: unknown) => {
    tell({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  });
});
// Whoever started this may be killed without a word.
process.on("disconnect", () => process.exit());
// A Ctrl-C in the terminal reaches the whole group: the parent decides.
process.on("SIGINT", () => {});
tell({ type: "ready" });

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { deleteStream, purgeStream } from "@localstreet/bus/stream-administration";
import { ensureStreams } from "@localstreet/bus/streams";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { openAdminBus } from "../admin-bus.ts";
import type { Fault } from "../fault.ts";
import { freshId, makeOrder, postOrder } from "../marketplace.ts";
import { type Stage, timeUntilBusIsBack } from "../stage.ts";
import { openStreamProbe, type StreamProbe } from "../stream-probe.ts";
import { timeUntil } from "../wait.ts";

const VENDORS = 6;
const DELIVERED_MS = 12_000;
/** Longer than a stream that was sent away waits. */
const COME_BACK_MS = 5_000;

/** Half of them stay connected through the harm, the others come back after it with an old id. */
interface Probes {
  readonly staying: readonly StreamProbe[];
  readonly leaving: readonly StreamProbe[];
}

export const streamPurged: Fault = {
  name: "stream-purged",
  harm: "the vendors' log is purged while some streams are away that have not seen all of it",
  promise: "an old id gets `gap` or `reset`, never silence; new orders arrive",
  run: (stage) =>
    loseHistory(stage, ["gap", "reset"], async () => {
      await withAdminBus(stage, (bus) => purgeStream(bus, VENDOR_STREAM));
    }),
};

export const streamDeleted: Fault = {
  name: "stream-deleted",
  harm: "the vendors' log is deleted, and made again two seconds later",
  promise: "an old id gets `reset`, never silence; no order is acknowledged meanwhile",
  run: (stage) =>
    loseHistory(stage, ["reset"], async () => {
      await withAdminBus(stage, async (bus) => {
        await deleteStream(bus, VENDOR_STREAM);
        const { platform, url } = stage;
        const vendorId = freshId("vendor");
        const answer = await postOrder(platform, url, vendorId, makeOrder(freshId("order")));
        const isRefused = "status" in answer && answer.status === 503;
        stage.check("an order without a log is a 503", isRefused, JSON.stringify(answer));
        await sleep(2_000);
        await ensureStreams(bus, { replicas: platform.stores.natsNodes.length });
      });
    }),
};

export const logRestored: Fault = {
  name: "log-restored",
  harm: "NATS is set back to a copy of its data from before the last orders, as by a backup",
  promise: "clients that are ahead of it get `reset`, never `complete`; new orders arrive",
  run: (stage) =>
    loseHistory(
      stage,
      ["reset"],
      async () => await withNatsDown(stage, (store, copy) => exchange(copy, store)),
      async () => await withNatsDown(stage, (store, copy) => exchange(store, copy)),
    ),
};

async function loseHistory(
  stage: Stage,
  allowed: readonly string[],
  harm: () => Promise<void>,
  prepare = async () => {},
): Promise<void> {
  const { load, check, checkWithin } = stage;
  // The load's own orders would rightly be missed.
  await load.endOrders();
  await load.timeUntilSettled(10_000);
  const probes = await openProbes(stage);
  const all = [...probes.staying, ...probes.leaving];
  checkWithin("orders arrive before it", await placeAndAwait(stage, all), DELIVERED_MS);
  await prepare();
  await timeUntil(() => all.every((probe) => probe.isOpen), 15_000);
  checkWithin("more orders arrive before it", await placeAndAwait(stage, all), DELIVERED_MS);
  for (const probe of probes.leaving) probe.leave();
  await place(stage, probes.leaving);
  const seen = probes.leaving.map((probe) => probe.verdicts.length);
  const seenByStaying = probes.staying.map((probe) => probe.verdicts.length);

  await harm();
  for (const probe of probes.leaving) probe.come();
  const answered = () =>
    probes.leaving.every((probe, n) => probe.verdicts.length > (seen[n] as number));
  await timeUntil(answered, 15_000);
  const verdicts = probes.leaving.map((probe, n) => probe.verdicts[seen[n] as number] ?? "silence");
  const isHonest = verdicts.every((verdict) => allowed.includes(verdict));
  check(`old ids get ${allowed.join(" or ")}`, isHonest, countEach(verdicts));
  const back = await placeAndAwait(stage, probes.leaving);
  checkWithin("new orders reach who came back", back, DELIVERED_MS);
  // The services may well have sent them away, to be told on their return.
  await sleep(COME_BACK_MS);
  await timeUntil(() => probes.staying.every((probe) => probe.isOpen), 15_000);
  const told = probes.staying.flatMap((probe, n) => probe.verdicts.slice(seenByStaying[n]));
  const toldHonestly = told.every((verdict) => allowed.includes(verdict));
  check("who stayed gets no other verdict", toldHonestly, countEach(told) || "nothing");
  const stayed = await placeAndAwait(stage, probes.staying);
  checkWithin("new orders reach who stayed", stayed, DELIVERED_MS);
  for (const probe of all) probe.leave();
}

async function openProbes({ platform, url }: Stage): Promise<Probes> {
  const open = async () =>
    await Promise.all(
      Array.from({ length: VENDORS }, () => openStreamProbe(platform, url, freshId("vendor"))),
    );
  const probes = { staying: await open(), leaving: await open() };
  const isOpen = () => [...probes.staying, ...probes.leaving].every((probe) => probe.isOpen);
  if ((await timeUntil(isOpen, 10_000)) === null) throw new Error("the probes do not get in");
  return probes;
}

/** Two orders for each vendor, sent again until they are accepted. */
async function place(stage: Stage, probes: readonly StreamProbe[]) {
  const { platform, url } = stage;
  const placed = probes.flatMap((probe) =>
    [1, 2].map(() => ({ probe, order: makeOrder(freshId("order")) })),
  );
  for (const { probe, order } of placed) {
    await timeUntil(
      async () => "id" in (await postOrder(platform, url, probe.vendorId, order)),
      20_000,
      250,
    );
  }
  return placed;
}

async function placeAndAwait(stage: Stage, probes: readonly StreamProbe[]): Promise<number | null> {
  const placed = await place(stage, probes);
  const arrived = () => placed.every(({ probe, order }) => probe.has(order.orderId));
  return await timeUntil(arrived, DELIVERED_MS);
}

async function withAdminBus(
  { platform }: Stage,
  work: (bus: Awaited<ReturnType<typeof openAdminBus>>) => Promise<unknown>,
): Promise<void> {
  const bus = await openAdminBus(platform);
  try {
    await work(bus);
  } finally {
    await bus.close();
  }
}

/** Ends NATS in order, lets `work` exchange its folders, and starts it again. */
async function withNatsDown(
  { platform, dataDir }: Stage,
  work: (store: string, copy: string) => void,
): Promise<void> {
  const { natsNodes } = platform.stores;
  for (const { name } of natsNodes) platform.hold(name);
  await Promise.all(natsNodes.map((node) => node.stop()));
  for (const { name } of natsNodes) {
    const folder = natsNodes.length === 1 ? "nats" : join("nats", name);
    work(join(dataDir, folder, "jetstream"), join(dataDir, "backup", name));
  }
  await Promise.all(natsNodes.map((node) => node.start()));
  for (const { name } of natsNodes) platform.release(name);
  await timeUntilBusIsBack(platform.replicas, 15_000);
}

function exchange(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
}

function countEach(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, count]) => `${count} ${value}`).join(", ");
}

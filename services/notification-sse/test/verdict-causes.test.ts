import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { purgeStream } from "@localstreet/bus/stream-administration";
import { ensureStreams } from "@localstreet/bus/streams";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import type { RunningService } from "@localstreet/service-kit/service";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  ordersOf,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

const PING_MS = 200;
const AGE_SECONDS = 3;

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification({
    STREAM_PING_MS: String(PING_MS),
    TAIL_CHECK_MS: String(PING_MS),
    RETRY_MIN_MS: "10",
    RETRY_MAX_MS: "50",
  });
});
afterAll(() => notification.stop());

/** What a replica that remembers nothing says to each of the ids, and how many orders it then brings. */
async function verdicts(
  vendorId: string,
  ids: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const unseen = await notification.startReplica();
  const told: Record<string, string> = {};
  for (const [who, lastEventId] of Object.entries(ids)) {
    const stream = await openVendorStream(unseen, vendorId, { lastEventId });
    const { status, replayed } = stream.resume;
    await until(() => ordersOf(stream).length === (replayed ?? 0), { what: `what ${who} missed` });
    told[who] = `${status} ${replayed}`;
    stream.close();
  }
  return told;
}

async function storeOrders(
  replica: RunningService,
  vendorId: string,
  count: number,
): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await storeOrder(replica, vendorId, newOrder()));
  return ids;
}

/** The state of the vendors' log as the server itself tells it, and where it keeps its files. */
async function readLog(): Promise<{ firstSequence: number; lastSequence: number; dir: string }> {
  const url = `${notification.stores.nats.monitorUrl()}/jsz?streams=true&config=true&accounts=true`;
  const all = (await (await fetch(url)).json()) as {
    config: { store_dir: string };
    account_details: {
      stream_detail: { name: string; state: { first_seq: number; last_seq: number } }[];
    }[];
  };
  const state = all.account_details
    .flatMap(({ stream_detail }) => stream_detail)
    .find(({ name }) => name === VENDOR_STREAM)?.state;
  if (!state) throw new Error("there is no log");
  const { first_seq: firstSequence, last_seq: lastSequence } = state;
  return { firstSequence, lastSequence, dir: all.config.store_dir };
}

test("S6 S7: events that expire by age are a gap for a busy vendor's late device, and none for a quiet vendor's that was there", async () => {
  const [one, two] = notification.replicas;
  const [busy, quiet] = [newVendor(), newVendor()];
  const [quietOwn = ""] = await storeOrders(one, quiet, 1);
  const there = await openVendorStream(two, quiet);
  const old = await storeOrders(one, busy, 3);
  const { lastSequence } = await readLog();
  const age = { vendorMaxAgeSeconds: AGE_SECONDS, duplicateWindowSeconds: 1 };
  await ensureStreams(notification.bus, age);
  // The busy vendor goes on until all of that is gone, and the quiet one's own event with it.
  const young: string[] = [];
  await until(
    async () => {
      young.push(...(await storeOrders(one, busy, 1)));
      return (await readLog()).firstSequence > lastSequence;
    },
    { what: "the expiry", timeoutMs: 20_000 },
  );
  // Nothing expires any more while it is asked.
  await ensureStreams(notification.bus, { duplicateWindowSeconds: 1 });
  await until(() => sequenceOf(lastPing(there)) > lastSequence, { what: "a ping from behind it" });
  const pinged = lastPing(there);
  there.close();

  const newest = young.at(-1) ?? "";
  expect(
    await verdicts(busy, { late: old[0] ?? "", "in time": young.at(-3) ?? "", current: newest }),
  ).toEqual({
    late: expect.stringMatching(/^gap \d+$/),
    "in time": "complete 2",
    current: "complete 0",
  });
  expect(await verdicts(quiet, { there: pinged, "away all the while": quietOwn })).toEqual({
    there: "complete 0",
    // Of what is gone after its id nobody can say whose it was.
    "away all the while": "gap 0",
  });
});

test("S6 S7: a purge is a gap for whoever is behind it, and none for whoever has everything", async () => {
  const [one, two] = notification.replicas;
  const [busy, quiet] = [newVendor(), newVendor()];
  const there = await openVendorStream(two, quiet);
  const ids = await storeOrders(one, busy, 4);
  const newest = ids.at(-1) ?? "";
  const isPinged = () => sequenceOf(lastPing(there)) === sequenceOf(newest);
  await until(isPinged, { what: "a ping from the end of the log" });
  const pinged = lastPing(there);
  there.close();
  await purgeStream(notification.bus, VENDOR_STREAM);
  expect(await verdicts(busy, { behind: ids[1] ?? "", current: newest })).toEqual({
    behind: "gap 0",
    current: "complete 0",
  });
  expect(await verdicts(quiet, { there: pinged })).toEqual({ there: "complete 0" });
  await storeOrders(one, busy, 2);
  expect(await verdicts(busy, { behind: ids[1] ?? "", current: newest })).toEqual({
    behind: "gap 2",
    current: "complete 2",
  });
});

test("S6 S8 S10: a log restored from a backup resets whoever is ahead of it, and nobody else", async () => {
  const [one] = notification.replicas;
  const [bakery, florist] = [newVendor(), newVendor()];
  const { nats } = notification.stores;
  const kept = await storeOrders(one, bakery, 2);
  const [floristsOwn = ""] = await storeOrders(one, florist, 1);
  const { dir } = await readLog();
  const copy = join(dir, "..", "..", "backup");
  await nats.stop();
  cpSync(dir, copy, { recursive: true });
  await nats.start();

  let lost: string[] = [];
  await until(
    async () => {
      lost = await storeOrders(one, bakery, 3).catch(() => []);
      return lost.length > 0;
    },
    { what: "orders after the backup", timeoutMs: 20_000 },
  );
  const ahead = await openVendorStream(one, bakery);
  await nats.stop();
  rmSync(dir, { recursive: true });
  cpSync(copy, dir, { recursive: true });
  await nats.start();
  // Who is connected and ahead is sent away.
  await ahead.ended;

  const before = await verdicts(bakery, {
    "at the backup": kept[1] ?? "",
    "behind it": kept[0] ?? "",
    "one ahead": lost[0] ?? "",
    "far ahead": lost[2] ?? "",
  });
  expect(before).toEqual({
    "at the backup": "complete 0",
    "behind it": "complete 1",
    "one ahead": "reset 0",
    "far ahead": "reset 0",
  });
  // Sequences that were handed out once are handed out again, for other orders.
  await until(async () => (await storeOrders(one, bakery, 4).catch(() => [])).length === 4, {
    what: "orders after the restore",
    timeoutMs: 20_000,
  });
  expect(
    await verdicts(bakery, { "one ahead": lost[0] ?? "", "far ahead": lost[2] ?? "" }),
  ).toEqual({ "one ahead": "reset 0", "far ahead": "reset 0" });
  expect(await verdicts(florist, { "had everything": floristsOwn })).toEqual({
    "had everything": "complete 0",
  });
});

function sequenceOf(id: string): number {
  return Number(id.split("-")[1]);
}

/** The id of the newest `ping` that a stream has brought. */
function lastPing(stream: { events: readonly { event: string; id: string }[] }): string {
  return stream.events.findLast(({ event }) => event === "ping")?.id ?? "";
}

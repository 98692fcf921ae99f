import { judgeByLog } from "@localstreet/bus/judge";
import { positionId } from "@localstreet/bus/log-position";
import { openSubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog, type SubjectLog } from "@localstreet/bus/subject-log";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { type Marketplace, publishOrder, quiet, startMarketplace } from "./marketplace.ts";

const bakery = "vendor.bakery.orders";
const florist = "vendor.florist.orders";

async function openReader(market: Marketplace) {
  const bus = await market.connect("notification-sse");
  return { bus, log: await openSubjectLog(bus, "VENDOR") };
}

async function decide(log: SubjectLog, subject: string, lastEventId: string) {
  const { status, position } = await judgeByLog(log, subject, lastEventId);
  return { status, afterSequence: position.sequence };
}

async function endId(log: SubjectLog, subject: string) {
  const { epoch, position } = await log.end();
  return positionId(epoch, subject, position);
}

async function replay(log: SubjectLog, subject: string, afterSequence: number) {
  const found: number[] = [];
  const untilSequence = (await log.head(subject))?.sequence ?? 0;
  const after = { sequence: afterSequence, mark: null };
  for await (const page of log.pages({ subject, after, untilSequence })) {
    found.push(...page.map(({ sequence }) => sequence));
  }
  return found;
}

test("S6: complete with an id, and the replay is every event after it", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  const ids: string[] = [];
  for (let n = 1; n <= 5; n++) {
    ids.push((await publishOrder(publisher, "bakery", `order-${n}`)).id);
    await publishOrder(publisher, "florist", `order-${n}`);
  }
  for (const [n, id] of ids.entries()) {
    const decision = await decide(log, bakery, id);
    expect(decision).toEqual({ status: "complete", afterSequence: 2 * n + 1 });
    expect(await replay(log, bakery, decision.afterSequence)).toEqual([3, 5, 7, 9].slice(n));
  }
});

test("S6 S7: the id of an empty log is a place to resume from", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  const start = await endId(log, bakery);
  await publishOrder(publisher, "bakery", "order-1");
  expect(await decide(log, bakery, start)).toEqual({ status: "complete", afterSequence: 0 });
});

test("S8: garbage, another epoch, the future and another vendor's id are a reset", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  const mine = await publishOrder(publisher, "bakery", "order-1");
  const other = await publishOrder(publisher, "florist", "order-1");
  const [epoch, , check] = mine.id.split("-") as [string, string, string];
  for (const id of [
    "garbage",
    "-1",
    "x".repeat(10_000),
    `zzzzzzzz-1-${check}`,
    `${epoch}-3-${check}`,
    `${epoch}-9007199254740993-${check}`,
    `${epoch}-1-AAAAAA`,
    `${epoch}-2-${check}`,
    `${epoch}-0-${check}`,
    other.id,
  ]) {
    expect((await decide(log, bakery, id)).status, id.slice(0, 40)).toBe("reset");
  }
  expect((await decide(log, florist, other.id)).status).toBe("complete");
});

test("S6: an event that is no longer kept is a gap, never silence; what came before the id is not missed", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  const ids: string[] = [];
  for (let n = 1; n <= 6; n++) ids.push((await publishOrder(publisher, "bakery", `order-${n}`)).id);
  await market.streams.purge("VENDOR", { seq: 5 });
  const statuses = async () =>
    await Promise.all(ids.map(async (id) => (await decide(log, bakery, id)).status));
  // After order 4 everything is kept, though order 4 itself is not.
  expect(await statuses()).toEqual(["gap", "gap", "gap", "complete", "complete", "complete"]);
  const gap = await decide(log, bakery, ids[0] as string);
  expect(await replay(log, bakery, gap.afterSequence)).toEqual([5, 6]);

  await market.streams.purge("VENDOR");
  expect(await statuses()).toEqual(["gap", "gap", "gap", "gap", "gap", "complete"]);
});

test("S6: events that expired are a gap", async () => {
  await using market = await startMarketplace({
    vendorMaxAgeSeconds: 2,
    duplicateWindowSeconds: 1,
  });
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  const first = await publishOrder(publisher, "bakery", "order-1");
  const second = await publishOrder(publisher, "bakery", "order-2");
  await until(async () => (await log.bounds()).firstSequence === 3, { what: "the expiry" });
  const third = await publishOrder(publisher, "bakery", "order-3");
  expect(await decide(log, bakery, first.id)).toMatchObject({ status: "gap" });
  expect(await decide(log, bakery, second.id)).toMatchObject({ status: "complete" });
  expect(await decide(log, bakery, third.id)).toMatchObject({ status: "complete" });
});

test("S6: an event that was deleted by hand is a gap for those before it only", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  const ids: string[] = [];
  for (let n = 1; n <= 4; n++) ids.push((await publishOrder(publisher, "bakery", `order-${n}`)).id);
  await market.streams.deleteMessage("VENDOR", 3);
  const statuses = await Promise.all(ids.map(async (id) => (await decide(log, bakery, id)).status));
  expect(statuses).toEqual(["gap", "gap", "complete", "complete"]);
});

test("S6 S7: a quiet vendor whose id was advanced is told of no gap, though its own last event is gone", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { bus, log } = await openReader(market);
  const feed = openSubjectFeed({ bus, log, logger: quiet, tailCheckMs: 50 });
  const own = await publishOrder(publisher, "bakery", "order-1");
  const following = await feed.follow(bakery, () => {});
  expect(following.positionId()).toBe(own.id);
  for (let n = 1; n <= 20; n++) await publishOrder(publisher, "florist", `order-${n}`);
  await until(() => following.positionId().split("-")[1] === "21", { what: "the advanced id" });
  await market.streams.purge("VENDOR", { seq: 15 });
  // What was purged lay between its last event and the advanced id.
  expect(await decide(log, bakery, own.id)).toMatchObject({ status: "gap" });
  expect(await decide(log, bakery, following.positionId())).toMatchObject({ status: "complete" });
  expect(await decide(log, florist, following.positionId())).toMatchObject({ status: "reset" });
  feed.close();
});

test("S6 S7: the id at the end of an emptied log resumes complete", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  for (let n = 1; n <= 3; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  await market.streams.purge("VENDOR");
  const end = await endId(log, bakery);
  expect(await decide(log, bakery, end)).toMatchObject({ status: "complete" });
  await publishOrder(publisher, "bakery", "order-4");
  const decision = await decide(log, bakery, end);
  expect(decision).toEqual({ status: "complete", afterSequence: 3 });
  expect(await replay(log, bakery, decision.afterSequence)).toEqual([4]);
});

test("S6 S8: a log that was created anew is a reset, also once its sequences have caught up", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  const before = await publishOrder(publisher, "bakery", "order-1");
  await market.recreateVendorStream();
  expect(await decide(log, bakery, before.id)).toMatchObject({ status: "reset" });
  await publishOrder(publisher, "bakery", "order-1");
  expect(await decide(log, bakery, before.id)).toMatchObject({ status: "reset" });
});

test("S6 S8: a log restored from a backup disowns the ids of what it lost, once its sequences have caught up too", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log } = await openReader(market);
  const kept = await publishOrder(publisher, "bakery", "order-1");
  const { config } = await market.streams.info("VENDOR");
  const lost: string[] = [];
  for (let n = 2; n <= 4; n++) lost.push((await publishOrder(publisher, "bakery", `lost-${n}`)).id);

  // The backup holds order 1 alone; a restore keeps the description, and with it the epoch.
  await market.streams.delete("VENDOR");
  await market.streams.add(config);
  expect((await publishOrder(publisher, "bakery", "order-1")).sequence).toBe(1);
  for (const id of lost) expect(await decide(log, bakery, id)).toMatchObject({ status: "reset" });
  for (let n = 2; n <= 6; n++) await publishOrder(publisher, "bakery", `new-${n}`);
  for (const id of lost) expect(await decide(log, bakery, id)).toMatchObject({ status: "reset" });
  expect(await decide(log, bakery, kept.id)).toMatchObject({ status: "complete" });
});

import { judgeByLog } from "@localstreet/bus/judge";
import { openSubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog, type StoredEvent } from "@localstreet/bus/subject-log";
import { createTurns } from "@localstreet/bus/turns";
import { REPLACED_ID } from "@localstreet/contracts/event-id";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { type Marketplace, publishOrder, quiet, startMarketplace } from "./marketplace.ts";
import { startRelay } from "./relay.ts";

// Interleavings that the search over schedules has found (loadtests/schedules), once more against a real server.

const bakery = "vendor.bakery.orders";

/** A follower of one vendor on a replica of its own, over a network path that can fail. */
async function follow(market: Marketplace, options: { url?: string; tailCheckMs?: number } = {}) {
  const { url = market.nats.url, tailCheckMs = 60_000 } = options;
  const bus = await market.connect("notification-sse", { servers: [url] });
  const log = await openSubjectLog(bus, "VENDOR");
  const feed = openSubjectFeed({ bus, log, logger: quiet, tailCheckMs });
  const seen: StoredEvent[] = [];
  const overs: string[] = [];
  const following = await feed.follow(
    bakery,
    (event) => seen.push(event),
    (resumeFrom) => overs.push(resumeFrom),
  );
  return { bus, log, feed, seen, overs, following };
}

const namesOf = (events: readonly StoredEvent[]) =>
  events.map(({ messageId }) => messageId.split(":").at(-1));

for (const [how, remove] of [
  ["purged", (market: Marketplace) => market.streams.purge("VENDOR", { seq: 4 })],
  [
    "deleted",
    async (market: Marketplace) => {
      await market.streams.deleteMessage("VENDOR", 2);
      await market.streams.deleteMessage("VENDOR", 3);
    },
  ],
] as const) {
  test(`S46 S6: events that came while a replica was cut off, and were ${how}: none passes behind the hole, and the gap is told`, async () => {
    await using market = await startMarketplace();
    await using relay = await startRelay(market.nats.port);
    const publisher = await market.connect("publisher");
    const { bus, log, seen, overs } = await follow(market, { url: relay.url });
    const first = await publishOrder(publisher, "bakery", "o-1");
    await until(() => seen.length === 1, { what: "the first order" });
    relay.cut();
    await until(() => !bus.isConnected(), { what: "the cut" });
    for (const orderId of ["o-2", "o-3", "o-4"]) await publishOrder(publisher, "bakery", orderId);
    await remove(market);
    relay.restore();
    await until(() => overs.length === 1, { what: "the end of the following" });
    expect(namesOf(seen)).toEqual(["o-1"]);
    for (const id of [first.id, overs[0] as string]) {
      expect((await judgeByLog(log, bakery, id)).status).toBe("gap");
    }
  });
}

test("S46 S6: an event that came and went while a replica was cut off, with nothing after it, is told as a gap", async () => {
  await using market = await startMarketplace();
  await using relay = await startRelay(market.nats.port);
  const publisher = await market.connect("publisher");
  const { bus, log, seen, overs, following } = await follow(market, { url: relay.url });
  const before = following.positionId();
  relay.cut();
  await until(() => !bus.isConnected(), { what: "the cut" });
  await publishOrder(publisher, "bakery", "o-1");
  await market.streams.deleteMessage("VENDOR", 1);
  relay.restore();
  await until(() => overs.length === 1, { what: "the end of the following" });
  expect(seen).toEqual([]);
  for (const id of [before, overs[0] as string]) {
    expect((await judgeByLog(log, bakery, id)).status).toBe("gap");
  }
});

test("S46 S8: a log that went back, and gives the same sequences to other events, is found without a reconnect", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log, seen, overs } = await follow(market);
  for (let n = 1; n <= 5; n++) await publishOrder(publisher, "bakery", `o-${n}`);
  await until(() => seen.length === 5, { what: "five orders" });
  const { config } = await market.streams.info("VENDOR");
  await market.streams.delete("VENDOR");
  await market.streams.add(config);
  // What the backup held, then other events at sequences 4, 5 and 6.
  const ids: string[] = [];
  for (const name of ["o-1", "o-2", "o-3", "x-4", "x-5", "x-6"]) {
    ids.push((await publishOrder(publisher, "bakery", name)).id);
  }
  await until(() => overs.length === 1, { what: "the end of the following" });
  expect(overs).toEqual([REPLACED_ID]);
  expect(namesOf(seen)).toEqual(["o-1", "o-2", "o-3", "o-4", "o-5"]);
  expect((await judgeByLog(log, bakery, REPLACED_ID)).status).toBe("reset");
  expect((await judgeByLog(log, bakery, ids[2] as string)).status).toBe("complete");
});

test("S46 S6: an event whose predecessors are gone does not pass unchecked", async () => {
  await using market = await startMarketplace();
  await market.stopRepublishing();
  const publisher = await market.connect("publisher");
  const { log, seen, overs, following } = await follow(market);
  const before = following.positionId();
  // The live copy of the first is lost, and it is gone when the second comes.
  await publishOrder(publisher, "bakery", "o-1");
  await market.streams.purge("VENDOR");
  await publishOrder(publisher, "bakery", "o-2");
  market.republish("bakery", 2, 0, "o-2");
  await until(() => overs.length === 1, { what: "the end of the following" });
  expect(seen).toEqual([]);
  expect((await judgeByLog(log, bakery, before)).status).toBe("gap");
});

test("S6: an id that was given out is complete when the newest event has been deleted", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log, feed, seen } = await follow(market);
  await publishOrder(publisher, "bakery", "o-1");
  const { id } = await publishOrder(publisher, "bakery", "o-2");
  await until(() => seen.length === 2, { what: "both orders" });
  await market.streams.deleteMessage("VENDOR", 2);
  const again = await feed.follow(bakery, () => {});
  for (const given of [id, again.positionId()]) {
    expect((await judgeByLog(log, bakery, given)).status).toBe("complete");
    // Memory may leave it to the log, but it says nothing else.
    expect(again.missed(given) ?? []).toEqual([]);
  }
});

test("S46 S8: a log that an operator gives another epoch, as after a restore, is another log to all", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { log, overs } = await follow(market, { tailCheckMs: 100 });
  const { id } = await publishOrder(publisher, "bakery", "o-1");
  await market.streams.update("VENDOR", { description: "epoch:abcd1234" });
  await until(() => overs.length === 1, { what: "the end of the following" });
  for (const given of [id, overs[0] as string]) {
    expect((await judgeByLog(log, bakery, given)).status).toBe("reset");
  }
});

test("S16: a reader that waits for NATS takes no turn", async () => {
  await using market = await startMarketplace();
  await using relay = await startRelay(market.nats.port);
  const publisher = await market.connect("publisher");
  for (let n = 1; n <= 20; n++) await publishOrder(publisher, "bakery", `o-${n}`);
  const bus = await market.connect("notification-sse");
  const bulk = await market.connect("notification-sse", { servers: [relay.url] });
  const log = await openSubjectLog(bus, "VENDOR", bulk);
  const inTurn = createTurns(1);
  relay.cut();
  await until(() => !bulk.isConnected(), { what: "the cut" });
  const after = { sequence: 0, mark: null };
  const range = { subject: bakery, after, untilSequence: 20, patienceMs: 30_000, inTurn };
  const stalled = log.pages(range);
  const read: string[] = [];
  const reading = (async () => {
    for await (const page of stalled) read.push(...page.map(({ messageId }) => messageId));
  })();
  // The turn is free although the reader goes on trying.
  expect(await inTurn(async () => "a turn")).toBe("a turn");
  expect(read).toEqual([]);
  relay.restore();
  await reading;
  expect(read).toHaveLength(20);
});

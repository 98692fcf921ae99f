import { BusUnavailableError } from "@localstreet/bus/connection";
import { openSubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog, type StoredEvent } from "@localstreet/bus/subject-log";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { type Marketplace, publishOrder, quiet, startMarketplace } from "./marketplace.ts";

const subjectOf = (vendorId: string) => `vendor.${vendorId}.orders`;
const sequences = (events: StoredEvent[]) => events.map(({ sequence }) => sequence);

async function openFeed(market: Marketplace, tailCheckMs = 10_000) {
  const bus = await market.connect("notification-sse");
  const log = await openSubjectLog(bus, "VENDOR");
  const feed = openSubjectFeed({ bus, log, logger: quiet, tailCheckMs });
  return { bus, log, feed };
}

test("S5: every follower gets each event after its head, once and in order", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { bus, feed } = await openFeed(market);
  for (let n = 1; n <= 3; n++) await publishOrder(publisher, "bakery", `order-${n}`);

  const early: StoredEvent[] = [];
  const late: StoredEvent[] = [];
  const first = await feed.follow(subjectOf("bakery"), (event) => early.push(event));
  expect(first.head?.sequence).toBe(3);
  for (let n = 4; n <= 6; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  const second = await feed.follow(subjectOf("bakery"), (event) => late.push(event));
  expect(second.head?.sequence).toBe(6);
  await publishOrder(publisher, "florist", "order-1");
  await publishOrder(publisher, "bakery", "order-7");
  await until(() => late.length === 1, { what: "the event for both" });
  expect(sequences(early)).toEqual([4, 5, 6, 8]);
  expect(sequences(late)).toEqual([8]);
  expect(early[0]?.messageId).toBe("bakery:new-order:order-4");

  expect(feed.stats()).toMatchObject({ subjects: 1, followers: 2 });
  first.stop();
  first.stop();
  expect(feed.stats()).toMatchObject({ subjects: 1, followers: 1 });
  second.stop();
  expect(feed.stats()).toMatchObject({ subjects: 0, followers: 0 });
  // Nobody follows, so nothing is subscribed to.
  const { messagesReceived } = bus.stats();
  await publishOrder(publisher, "bakery", "order-8");
  await bus.flush();
  expect(bus.stats().messagesReceived).toBe(messagesReceived);
});

test("S5: a follower that throws harms no other", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { feed } = await openFeed(market);
  const seen: StoredEvent[] = [];
  await feed.follow(subjectOf("bakery"), () => {
    throw new Error("a bug");
  });
  await feed.follow(subjectOf("bakery"), (event) => seen.push(event));
  for (let n = 1; n <= 3; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  await until(() => seen.length === 3, { what: "all events" });
});

test("S11: NATS killed under publishing for many vendors, then silence: every stored event arrives, once and in order", async () => {
  await using market = await startMarketplace();
  const publishers = await Promise.all([1, 2].map(() => market.connect("publisher")));
  const { bus, feed } = await openFeed(market);
  const vendors = Array.from({ length: 40 }, (_, n) => `vendor-${n}`);
  const arrived = new Map<string, StoredEvent[]>();
  for (const vendorId of vendors) {
    const events: StoredEvent[] = [];
    arrived.set(vendorId, events);
    await feed.follow(subjectOf(vendorId), (event) => events.push(event));
  }

  const acknowledged = new Map<string, Set<number>>(vendors.map((id) => [id, new Set()]));
  let publishing = true;
  async function publishOn(publisher: (typeof publishers)[number], from: number) {
    for (let n = from; publishing; n += 2) {
      const vendorId = vendors[n % vendors.length] as string;
      try {
        const { sequence } = await publishOrder(publisher, vendorId, `order-${n}`);
        acknowledged.get(vendorId)?.add(sequence);
      } catch (error) {
        expect(error).toBeInstanceOf(BusUnavailableError);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }
  const total = () => [...acknowledged.values()].reduce((sum, set) => sum + set.size, 0);
  const runs = publishers.map((publisher, n) => publishOn(publisher, n));
  for (const round of [1, 2]) {
    const before = total();
    await until(() => total() > before + 500, { what: "orders before the kill" });
    await market.nats.kill();
    if (round === 2) publishing = false;
    await market.nats.start();
  }
  await Promise.all(runs);

  await until(() => bus.isConnected(), { what: "the reconnect", timeoutMs: 10_000 });
  await until(
    () =>
      [...acknowledged].every(([vendorId, wanted]) => {
        const got = new Set(sequences(arrived.get(vendorId) ?? []));
        return [...wanted].every((sequence) => got.has(sequence));
      }),
    { what: "every acknowledged order, within 2 s of the reconnect", timeoutMs: 2_000 },
  );
  for (const events of arrived.values()) {
    const got = sequences(events);
    expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
  }
});

test("S11: a lost live copy with nothing after it is found by the tail check", async () => {
  await using market = await startMarketplace();
  await market.stopRepublishing();
  const publisher = await market.connect("publisher");
  const { feed } = await openFeed(market, 300);
  const seen: StoredEvent[] = [];
  const following = await feed.follow(subjectOf("bakery"), (event) => seen.push(event));
  const { id } = await publishOrder(publisher, "bakery", "order-1");
  await until(() => seen.length === 1, { what: "the event", timeoutMs: 1_000 });
  expect(following.positionId()).toBe(id);
});

test("S11: a tail check costs nothing while the log stands still, and advances the ids of quiet vendors when it moves", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { feed, log } = await openFeed(market, 50);
  await publishOrder(publisher, "bakery", "order-1");
  const following = await feed.follow(subjectOf("bakery"), () => {});
  const start = following.positionId();
  const { tailChecks } = feed.stats();
  const other = await publishOrder(publisher, "florist", "order-1");
  await until(() => following.positionId() !== start, { what: "a later id" });
  const position = await log.end();
  expect(position.position.sequence).toBe(other.sequence);
  expect(following.positionId()).toBe(log.positionId(subjectOf("bakery"), position.position));
  expect(following.positionId()).not.toBe(other.id);
  const after = feed.stats().tailChecks;
  expect(after).toBe(tailChecks + 1);
});

test("S11: a duplicate publish makes the feed look for what it may have missed", async () => {
  await using market = await startMarketplace();
  await market.stopRepublishing();
  const publisher = await market.connect("publisher");
  const { feed } = await openFeed(market, 60_000);
  const seen: StoredEvent[] = [];
  await feed.follow(subjectOf("bakery"), (event) => seen.push(event));
  await publishOrder(publisher, "bakery", "order-1");
  feed.checkSoon(subjectOf("bakery"));
  feed.checkSoon(subjectOf("nobody"));
  await until(() => seen.length === 1, { what: "the event" });
});

test("S5 S11: whatever the live copy loses, repeats or delays, each follower gets each event once and in order", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seededRandom(seed);
  const chance = (share: number) => random() < share;
  await using market = await startMarketplace();
  await market.stopRepublishing();
  const publisher = await market.connect("publisher");
  const { feed } = await openFeed(market, 100);
  const vendors = ["bakery", "florist", "grocer"];
  const last = new Map<string, number>();
  const stored = new Map<string, number[]>(vendors.map((id) => [id, []]));
  const followers: { vendorId: string; head: number; got: number[]; stopped: boolean }[] = [];
  const delayed: (() => void)[] = [];

  for (let step = 0; step < 600; step++) {
    const vendorId = vendors[Math.floor(random() * vendors.length)] as string;
    const { sequence } = await publishOrder(publisher, vendorId, `order-${step}`);
    const previous = last.get(vendorId) ?? 0;
    last.set(vendorId, sequence);
    stored.get(vendorId)?.push(sequence);
    const republish = () => market.republish(vendorId, sequence, previous, `order-${step}`);
    if (chance(0.6)) republish();
    if (chance(0.1)) republish();
    if (chance(0.1)) delayed.push(republish);
    if (chance(0.1)) for (const late of delayed.splice(0)) late();
    if (chance(0.05)) {
      const follower = { vendorId, head: 0, got: [] as number[], stopped: false };
      const following = await feed.follow(subjectOf(vendorId), (event) =>
        follower.got.push(event.sequence),
      );
      follower.head = following.head?.sequence ?? 0;
      followers.push(follower);
      if (chance(0.3)) {
        setTimeout(() => {
          follower.stopped = true;
          following.stop();
        }, random() * 200);
      }
    }
  }
  const wanted = (follower: { vendorId: string; head: number }) =>
    (stored.get(follower.vendorId) ?? []).filter((sequence) => sequence > follower.head);
  await until(() => followers.every((f) => f.stopped || f.got.length >= wanted(f).length), {
    what: `every event at every follower (seed ${seed})`,
  });
  for (const follower of followers) {
    const all = wanted(follower);
    const expected = follower.stopped ? all.slice(0, follower.got.length) : all;
    expect(follower.got, `seed ${seed}`).toEqual(expected);
  }
});

test("S8: a log that is created anew ends what followed the old one, and is followed afresh", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { feed, log } = await openFeed(market, 50);
  const oldEpoch = log.epoch;
  for (let n = 1; n <= 3; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  let resets = 0;
  await feed.follow(
    subjectOf("bakery"),
    () => {},
    () => resets++,
  );
  await market.recreateVendorStream();
  await until(() => resets === 1, { what: "the reset" });
  expect(feed.stats()).toMatchObject({ subjects: 0, followers: 0 });
  expect(log.epoch).not.toBe(oldEpoch);

  const seen: StoredEvent[] = [];
  const following = await feed.follow(subjectOf("bakery"), (event) => seen.push(event));
  expect(following.head).toBeNull();
  await publishOrder(publisher, "bakery", "order-1");
  await until(() => seen.length === 1, { what: "the first event of the new log" });
  expect(sequences(seen)).toEqual([1]);
});

test("S3: nobody can follow while NATS is away, and a failed try leaves nothing behind", async () => {
  await using market = await startMarketplace();
  const { bus, feed } = await openFeed(market);
  await market.nats.kill();
  await until(() => !bus.isConnected(), { what: "the loss" });
  await expect(feed.follow(subjectOf("bakery"), () => {})).rejects.toBeInstanceOf(
    BusUnavailableError,
  );
  expect(feed.stats()).toMatchObject({ subjects: 0, followers: 0 });
});

/** Mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

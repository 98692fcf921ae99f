import { type Bus, BusUnavailableError } from "@localstreet/bus/connection";
import { positionId } from "@localstreet/bus/log-position";
import { openSubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog, type StoredEvent } from "@localstreet/bus/subject-log";
import { REPLACED_ID } from "@localstreet/contracts/event-id";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { type Marketplace, publishOrder, quiet, startMarketplace } from "./marketplace.ts";
import { startRelay } from "./relay.ts";

const subjectOf = (vendorId: string) => `vendor.${vendorId}.orders`;
const sequences = (events: StoredEvent[]) => events.map(({ sequence }) => sequence);

async function openFeed(market: Marketplace, tailCheckMs = 10_000, servers = [market.nats.url]) {
  const bus = await market.connect("notification-sse", { servers });
  const log = await openSubjectLog(bus, "VENDOR");
  const feed = openSubjectFeed({ bus, log, logger: quiet, tailCheckMs, recent: { keepMs: 0 } });
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
  expect(first.start.sequence).toBe(3);
  for (let n = 4; n <= 6; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  const second = await feed.follow(subjectOf("bakery"), (event) => late.push(event));
  expect(second.start.sequence).toBe(6);
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

test("S11: NATS killed under publishing for many vendors, then silence: every acknowledged order arrives, once and in order", async () => {
  await using market = await startMarketplace();
  await using relay = await startRelay(market.nats.port);
  const publishers = await Promise.all([1, 2].map(() => market.connect("publisher")));
  const { bus, feed } = await openFeed(market, 10_000, [relay.url]);
  const vendors = Array.from({ length: 40 }, (_, n) => `vendor-${n}`);
  const arrived = new Map<string, StoredEvent[]>();
  for (const vendorId of vendors) {
    const events: StoredEvent[] = [];
    arrived.set(vendorId, events);
    await feed.follow(subjectOf(vendorId), (event) => events.push(event));
  }

  const acknowledged = new Map<string, Set<number>>(vendors.map((id) => [id, new Set()]));
  const total = () => [...acknowledged.values()].reduce((sum, set) => sum + set.size, 0);
  async function publishUntilStored(bus: Bus, vendorId: string, orderId: string) {
    for (;;) {
      try {
        const { sequence } = await publishOrder(bus, vendorId, orderId);
        acknowledged.get(vendorId)?.add(sequence);
        return;
      } catch (error) {
        expect(error).toBeInstanceOf(BusUnavailableError);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }
  let publishing = true;
  const runs = publishers.map(async (publisher, first) => {
    for (let n = first; publishing; n += publishers.length) {
      await publishUntilStored(publisher, vendors[n % vendors.length] as string, `order-${n}`);
    }
  });
  for (let kill = 0; kill < 2; kill++) {
    const before = total();
    await until(() => total() > before + 500, { what: "orders before the kill" });
    await market.nats.kill();
    if (kill === 1) relay.cut();
    await market.nats.start();
  }
  publishing = false;
  await Promise.all(runs);
  // The last order of each vendor is stored while the feed is away, and nothing follows it.
  for (const [n, vendorId] of vendors.entries()) {
    await publishUntilStored(publishers[n % 2] as Bus, vendorId, "last-order");
  }
  const reconnects = bus.stats().reconnects;
  relay.restore();
  await until(() => bus.stats().reconnects > reconnects, { what: "the feed's reconnect" });
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
  expect(following.positionId()).toBe(
    positionId(following.epoch, subjectOf("bakery"), position.position),
  );
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

// With frequent tail checks, and with none, where holes alone say what is missing.
for (const tailCheckMs of [100, 600_000]) {
  test(`S5 S11: whatever the live copy loses, repeats or delays, each follower gets each event once and in order (tail checks every ${tailCheckMs} ms)`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    const chance = (share: number) => random() < share;
    await using market = await startMarketplace();
    await market.stopRepublishing();
    const publisher = await market.connect("publisher");
    const { feed } = await openFeed(market, tailCheckMs);
    const vendors = ["bakery", "florist", "grocer"];
    const last = new Map<string, number>();
    const stored = new Map<string, number[]>(vendors.map((id) => [id, []]));
    const delayed: (() => void)[] = [];
    async function publish(vendorId: string, orderId: string): Promise<() => void> {
      const { sequence } = await publishOrder(publisher, vendorId, orderId);
      const previous = last.get(vendorId) ?? 0;
      last.set(vendorId, sequence);
      stored.get(vendorId)?.push(sequence);
      return () => market.republish(vendorId, sequence, previous, orderId);
    }
    const followers: { vendorId: string; head: number; got: number[]; stopped: boolean }[] = [];
    async function join(vendorId: string, staysMs: number) {
      const follower = { vendorId, head: 0, got: [] as number[], stopped: false };
      const following = await feed.follow(subjectOf(vendorId), (event) =>
        follower.got.push(event.sequence),
      );
      follower.head = following.start.sequence;
      followers.push(follower);
      if (staysMs === Number.POSITIVE_INFINITY) return;
      setTimeout(() => {
        follower.stopped = true;
        following.stop();
      }, staysMs);
    }

    const joins: Promise<void>[] = [];
    for (let step = 0; step < 800; step++) {
      const vendorId = vendors[Math.floor(random() * vendors.length)] as string;
      const republish = await publish(vendorId, `order-${step}`);
      if (chance(0.6)) republish();
      if (chance(0.1)) republish();
      if (chance(0.1)) delayed.push(republish);
      if (chance(0.1)) for (const late of delayed.splice(0)) late();
      if (chance(0.1)) {
        // Joins while events come in, several at once.
        const staysMs = chance(0.5) ? random() * 100 : Number.POSITIVE_INFINITY;
        joins.push(join(vendorId, staysMs), join(vendorId, staysMs));
      }
    }
    await Promise.all(joins);
    for (const vendorId of vendors) (await publish(vendorId, "last-order"))();
    const wanted = (follower: { vendorId: string; head: number }) =>
      (stored.get(follower.vendorId) ?? []).filter((sequence) => sequence > follower.head);
    await until(() => followers.every((f) => f.stopped || f.got.length >= wanted(f).length), {
      what: `every event at every follower (seed ${seed})`,
    });
    expect(followers.length).toBeGreaterThan(50);
    for (const follower of followers) {
      const all = wanted(follower);
      const expected = follower.stopped ? all.slice(0, follower.got.length) : all;
      expect(follower.got, `seed ${seed}`).toEqual(expected);
    }
  });
}

test("S5 S11: live events that outrun a fill are bounded and all arrive", async () => {
  await using market = await startMarketplace();
  await market.stopRepublishing();
  const publisher = await market.connect("publisher");
  const { feed } = await openFeed(market, 600_000);
  const seen: StoredEvent[] = [];
  await feed.follow(subjectOf("bakery"), (event) => seen.push(event));
  for (let n = 1; n <= 400; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  // The first makes a hole of 199; the others come while it is being filled, more than are held.
  for (let n = 200; n <= 400; n++) market.republish("bakery", n, n - 1, `order-${n}`);
  await until(() => seen.length >= 400, { what: "all events" });
  expect(sequences(seen)).toEqual(Array.from({ length: 400 }, (_, n) => n + 1));
});

test("S8: a log that is created anew ends what followed the old one, and is followed afresh", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { feed, log } = await openFeed(market, 50);
  const { epoch: oldEpoch } = await log.bounds();
  for (let n = 1; n <= 3; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  const overs: string[] = [];
  const before = await feed.follow(
    subjectOf("bakery"),
    () => {},
    (resumeFrom) => overs.push(resumeFrom),
  );
  expect(before.epoch).toBe(oldEpoch);
  await market.recreateVendorStream();
  await until(() => overs.length === 1, { what: "the end" });
  expect(overs).toEqual([REPLACED_ID]);
  expect(feed.stats()).toMatchObject({ subjects: 0, followers: 0 });

  const seen: StoredEvent[] = [];
  const following = await feed.follow(subjectOf("bakery"), (event) => seen.push(event));
  expect(following.start.sequence).toBe(0);
  expect(following.epoch).not.toBe(oldEpoch);
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

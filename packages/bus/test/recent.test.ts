import { judgeByLog } from "@localstreet/bus/judge";
import { eventId } from "@localstreet/bus/log-position";
import { openSubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog } from "@localstreet/bus/subject-log";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { type Marketplace, publishOrder, quiet, startMarketplace } from "./marketplace.ts";

const subjectOf = (vendorId: string) => `vendor.${vendorId}.orders`;

async function openFeed(market: Marketplace, recent: { keepMs?: number; events?: number } = {}) {
  const bus = await market.connect("notification-sse");
  const log = await openSubjectLog(bus, "VENDOR");
  const feed = openSubjectFeed({ bus, log, logger: quiet, tailCheckMs: 60_000, recent });
  return { bus, log, feed };
}

test("S16: whoever comes back is told from memory, until a while after the last has gone", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { bus, feed } = await openFeed(market, { keepMs: 400 });
  const bakery = subjectOf("bakery");
  const first = await feed.follow(bakery, () => {});
  const start = first.positionId();
  first.stop();
  const ids: string[] = [];
  for (let n = 1; n <= 3; n++) {
    ids.push((await publishOrder(publisher, "bakery", `order-${n}`)).id);
    await publishOrder(publisher, "florist", `order-${n}`);
  }
  const again = await feed.follow(bakery, () => {});
  for (const [id, count] of [
    [start, 3],
    [ids[0], 2],
    [ids[2], 0],
    [again.positionId(), 0],
  ] as const) {
    expect(again.missed(id as string)).toHaveLength(count);
  }
  // The same events each time: what was encoded for one is there for the next.
  expect(again.missed(start)?.[0]).toBe(again.missed(start)?.[0]);
  expect(again.last(2)?.map(({ sequence }) => sequence)).toEqual([3, 5]);
  expect(again.last(4)).toBeNull();
  const [epoch, , check] = (ids[0] as string).split("-");
  // Only the log can tell that an id is not one of its own.
  for (const id of [
    `${epoch}-1-xxxxxx`,
    `zzzzzzzz-1-${check}`,
    "garbage",
    `${epoch}-2-${check}`,
    `${epoch}-99-${check}`,
  ]) {
    expect([id, again.missed(id)]).toEqual([id, null]);
  }
  again.stop();

  expect(feed.stats()).toMatchObject({ subjects: 1, followers: 0 });
  await until(() => feed.stats().subjects === 0, { what: "it is let go" });
  expect(feed.stats().recentBytes).toBe(0);
  const { messagesReceived } = bus.stats();
  await publishOrder(publisher, "bakery", "order-unheard");
  await bus.flush();
  expect(bus.stats().messagesReceived).toBe(messagesReceived);
  const late = await feed.follow(bakery, () => {});
  expect(late.missed(ids[2] as string)).toBeNull();
});

test("S16: many who come at once share what is asked of the leader, and a log that stands still is not asked again", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { feed } = await openFeed(market);
  await publishOrder(publisher, "bakery", "order-1");
  const join = () =>
    Promise.all(Array.from({ length: 500 }, () => feed.follow(subjectOf("bakery"), () => {})));
  const followings = await join();
  expect(new Set(followings.map((following) => following.positionId())).size).toBe(1);
  expect(feed.stats()).toMatchObject({ followers: 500, tailChecks: 1 });
  for (const following of followings) following.stop();
  await join();
  expect(feed.stats().tailChecks).toBe(1);
});

test("S8 S16: memory of a log that was restored with other content is forgotten, at equal sequences too", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const { feed, log } = await openFeed(market);
  const before = await market.streams.info("VENDOR");
  const ids: string[] = [];
  for (let n = 1; n <= 3; n++) ids.push((await publishOrder(publisher, "bakery", `order-${n}`)).id);
  let resets = 0;
  await feed.follow(
    subjectOf("bakery"),
    () => {},
    () => resets++,
  );
  // As from a backup taken at sequence 0: the same epoch, and other orders since.
  await market.streams.delete("VENDOR");
  await market.streams.add(before.config);
  for (let n = 1; n <= 4; n++) await publishOrder(publisher, "bakery", `other-${n}`);
  await until(
    async () => {
      await feed.follow(subjectOf("bakery"), () => {}).catch(() => {});
      return resets === 1;
    },
    { what: "the reset" },
  );
  const following = await feed.follow(subjectOf("bakery"), () => {});
  for (const id of ids) {
    expect(following.missed(id)).toBeNull();
    expect((await judgeByLog(log, subjectOf("bakery"), id)).status).toBe("reset");
  }
});

test("S5 S16: clients that come back at random get each event once and in order, whatever the live copy loses", async () => {
  await using market = await startMarketplace();
  await market.stopRepublishing();
  const publisher = await market.connect("publisher");
  // Two replicas, one of which remembers next to nothing.
  const replicas = [await openFeed(market, { events: 8 }), await openFeed(market, { events: 1 })];
  const vendors = ["bakery", "florist"];
  const stored = new Map<string, number[]>(vendors.map((vendorId) => [vendorId, []]));
  const clients = Array.from({ length: 12 }, (_, n) => ({
    vendorId: vendors[n % 2] as string,
    got: [] as number[],
    id: "",
    verdicts: new Set<string>(),
  }));
  let isOver = false;
  let fromMemory = 0;
  let fromLog = 0;

  async function connect(client: (typeof clients)[number]): Promise<void> {
    const { feed, log } = replicas[Math.random() < 0.7 ? 0 : 1] as (typeof replicas)[number];
    const subject = subjectOf(client.vendorId);
    const live: { id: string; sequence: number }[] = [];
    const following = await feed.follow(subject, (event, epoch) =>
      live.push({ id: eventId(epoch, event), sequence: event.sequence }),
    );
    const { epoch, start } = following;
    const take = ({ id, sequence }: { id: string; sequence: number }) => {
      client.got.push(sequence);
      client.id = id;
    };
    if (client.id) {
      const missed = following.missed(client.id);
      const { status, position } = await judgeByLog(log, subject, client.id);
      client.verdicts.add(status);
      if (missed) fromMemory++;
      else fromLog++;
      const range = { subject, epoch, after: position, untilSequence: start.sequence };
      for await (const page of missed ? [missed] : log.pages(range)) {
        for (const event of page) take({ id: eventId(epoch, event), sequence: event.sequence });
      }
    }
    if (client.id === "") client.id = following.positionId();
    const stayMs = Math.random() * 40;
    const leavesAtMs = performance.now() + stayMs;
    let seen = 0;
    await until(
      () => {
        for (; seen < live.length; seen++) take(live[seen] as (typeof live)[number]);
        return performance.now() > leavesAtMs;
      },
      { what: "the end of the stay" },
    );
    following.stop();
  }

  const runs = clients.map(async (client) => {
    while (!isOver) await connect(client);
    // What came after it was last connected.
    await connect(client);
  });
  // All of them stand before the first event.
  await until(() => clients.every(({ id }) => id !== ""), { what: "every client's first id" });
  for (let n = 0; n < 300; n++) {
    const vendorId = vendors[n % 2] as string;
    const { sequence } = await publishOrder(publisher, vendorId, `order-${n}`);
    const mine = stored.get(vendorId) as number[];
    if (Math.random() < 0.7) market.republish(vendorId, sequence, mine.at(-1) ?? 0, `order-${n}`);
    mine.push(sequence);
  }
  isOver = true;
  await Promise.all(runs);
  for (const { vendorId, got, verdicts } of clients) {
    expect(got).toEqual(stored.get(vendorId));
    expect([...verdicts]).toEqual(["complete"]);
  }
  expect(fromMemory).toBeGreaterThan(10);
  expect(fromLog).toBeGreaterThan(10);
});

import { BusUnavailableError } from "@localstreet/bus/connection";
import { LogReplacedError, openLogReader } from "@localstreet/bus/log-reader";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { publishOrder, startMarketplace } from "./marketplace.ts";

const VENDORS = ["bakery", "florist", "grocer"];

test("S5: a reader brings the whole log in order, from any position, and follows it", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const bus = await market.connect("notification-sse");
  const startedAtMs = Date.now();
  for (let n = 0; n < 30; n++) {
    await publishOrder(publisher, VENDORS[n % 3] as string, `order-${n}`);
  }
  const reader = openLogReader(bus, "VENDOR", { afterSequence: 10, batch: 8 });
  const sequences: number[] = [];
  for (;;) {
    const { events, atEnd, endSequence } = await reader.next(500);
    sequences.push(...events.map(({ sequence }) => sequence));
    expect(endSequence).toBe(30);
    for (const { subject, sequence, kind, storedAt } of events) {
      expect(subject).toBe(`vendor.${VENDORS[(sequence - 1) % 3]}.orders`);
      expect(kind).toBe("new-order");
      expect(storedAt.getTime()).toBeGreaterThan(startedAtMs - 1_000);
      expect(storedAt.getTime()).toBeLessThan(Date.now() + 1_000);
    }
    if (atEnd) break;
    expect(events).toHaveLength(8);
  }
  expect(sequences).toEqual(Array.from({ length: 20 }, (_, n) => n + 11));

  expect(await reader.next(20)).toEqual({ events: [], atEnd: true, endSequence: 30 });
  const next = reader.next(5_000);
  const { sequence } = await publishOrder(publisher, "bakery", "order-next");
  const page = await next;
  expect(page).toMatchObject({ events: [{ sequence }], atEnd: true, endSequence: sequence });
  reader.close();
  await until(async () => (await market.streams.info("VENDOR")).state.consumer_count === 0, {
    what: "the consumer is removed",
  });
});

test("S5: what expired or was deleted is passed over, and the end is still the end", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const bus = await market.connect("notification-sse");
  for (let n = 1; n <= 10; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  await market.streams.purge("VENDOR", { seq: 4 });
  await market.streams.deleteMessage("VENDOR", 6);
  await market.streams.deleteMessage("VENDOR", 10);
  const reader = openLogReader(bus, "VENDOR", { afterSequence: 0, batch: 100 });
  const { events, atEnd } = await reader.next(500);
  expect(events.map(({ sequence }) => sequence)).toEqual([4, 5, 7, 8, 9]);
  expect(atEnd).toBe(true);
  expect(await reader.next(20)).toEqual({ events: [], atEnd: true, endSequence: 10 });
  reader.close();

  await market.streams.purge("VENDOR");
  const late = openLogReader(bus, "VENDOR", { afterSequence: 3, batch: 100 });
  expect(await late.next(20)).toEqual({ events: [], atEnd: true, endSequence: 10 });
  late.close();
});

test("S5 E7: a reader goes on where it was after its consumer and its server were lost", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const bus = await market.connect("notification-sse");
  for (let n = 0; n < 40; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  const reader = openLogReader(bus, "VENDOR", { afterSequence: 0, batch: 10 });
  const sequences: number[] = [];
  let refusals = 0;
  async function read(wanted: number): Promise<void> {
    await until(
      async () => {
        try {
          const { events } = await reader.next(100);
          sequences.push(...events.map(({ sequence }) => sequence));
        } catch (error) {
          expect(error).toBeInstanceOf(BusUnavailableError);
          refusals++;
        }
        return sequences.length >= wanted;
      },
      { what: `${wanted} events`, timeoutMs: 15_000 },
    );
  }
  await read(10);
  for await (const { name } of market.consumers.list("VENDOR")) {
    await market.consumers.delete("VENDOR", name);
  }
  await read(20);
  await market.nats.kill();
  await expect(reader.next(100)).rejects.toBeInstanceOf(BusUnavailableError);
  await market.nats.start();
  await read(40);
  expect(sequences).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
  expect(refusals).toBeGreaterThan(0);
  reader.close();
});

test("S8: a log that was made anew, or restored from before the position, is told as another one", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const bus = await market.connect("notification-sse");
  for (let n = 0; n < 5; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  const ahead = openLogReader(bus, "VENDOR", { afterSequence: 6, batch: 10 });
  await expect(ahead.next(100)).rejects.toBeInstanceOf(LogReplacedError);

  const reader = openLogReader(bus, "VENDOR", { afterSequence: 0, batch: 10 });
  await reader.next(100);
  await market.recreateVendorStream();
  for (let n = 0; n < 8; n++) await publishOrder(publisher, "bakery", `other-${n}`);
  await until(
    async () => {
      const outcome = await reader.next(100).catch((error: unknown) => error);
      expect((outcome as { events?: unknown[] }).events ?? []).toEqual([]);
      return outcome instanceof LogReplacedError;
    },
    { what: "the word of the other log" },
  );
  reader.close();
});

test("S30: a log that went back and has grown past the position again is told as another one", async () => {
  await using market = await startMarketplace();
  const publisher = await market.connect("publisher");
  const bus = await market.connect("notification-sse");
  for (let n = 0; n < 5; n++) await publishOrder(publisher, "bakery", `order-${n}`);
  const reader = openLogReader(bus, "VENDOR", { afterSequence: 0, batch: 10 });
  expect((await reader.next(100)).events).toHaveLength(5);
  const known = { after: { sequence: 5, mark: "bakery:new-order:order-4" }, batch: 10 };
  const later = openLogReader(bus, "VENDOR", known);
  expect(await later.next(20)).toMatchObject({ events: [], atEnd: true });

  // As after a restore: the same stream, with the same epoch.
  const { config } = await market.streams.info("VENDOR");
  await market.streams.delete("VENDOR");
  await market.streams.add(config);
  for (let n = 0; n < 8; n++) await publishOrder(publisher, "bakery", `other-${n}`);
  for (const each of [reader, later, openLogReader(bus, "VENDOR", known)]) {
    await until(
      async () => {
        const outcome = await each.next(100).catch((error: unknown) => error);
        expect((outcome as { events?: unknown[] }).events ?? []).toEqual([]);
        return outcome instanceof LogReplacedError;
      },
      { what: "the word of the other log", timeoutMs: 15_000 },
    );
    each.close();
  }
});

import { expect, test } from "vitest";
import { RecentEvents, RecentMemory } from "./recent-events.ts";
import type { StoredEvent } from "./subject-log.ts";

const eventAt = (sequence: number, bytes = 100): StoredEvent => ({
  subject: "vendor.bakery.orders",
  sequence,
  messageId: `bakery:new-order:${sequence}`,
  kind: "new-order",
  data: new Uint8Array(bytes),
});
const sequences = (events: readonly StoredEvent[] | null) =>
  events?.map(({ sequence }) => sequence);

test("it keeps the newest events within its limits, and claims nothing of what it has forgotten", () => {
  const memory = new RecentMemory({ events: 10, bytes: 20_000, totalBytes: 1e9 }, () => {});
  const recent = new RecentEvents(memory);
  recent.restart({ sequence: 5, mark: "other:new-order:1" });
  expect(recent.sinceSequence).toBe(5);
  expect(recent.markAt(4)).toBeNull();
  expect(recent.markAt(5)).toBe("other:new-order:1");
  expect(recent.markAt(6)).toBeNull();

  // A model that keeps everything: what is claimed must agree with it.
  const all: number[] = [];
  for (let step = 1, sequence = 5; step <= 2_000; step++) {
    sequence += 1 + Math.floor(Math.random() * 3);
    recent.add(eventAt(sequence, Math.floor(Math.random() * 2_000)));
    all.push(sequence);
    expect(recent.count).toBeGreaterThan(0);
    expect(recent.count).toBeLessThanOrEqual(10);
    expect(memory.usedBytes).toBeLessThanOrEqual(20_000);
    const after = sequence - Math.floor(Math.random() * 40);
    const until = after + Math.floor(Math.random() * 40);
    const wanted = all.filter((kept) => kept > after && kept <= until);
    if (after >= recent.sinceSequence) {
      expect(sequences(recent.between(after, until))).toEqual(wanted);
      const own = all.includes(after) ? `bakery:new-order:${after}` : null;
      expect(recent.markAt(after)).toBe(after === 5 ? "other:new-order:1" : own);
    }
    const count = Math.floor(Math.random() * 12);
    const last = recent.last(count, sequence);
    if (last) expect(sequences(last)).toEqual(all.slice(all.length - count));
    else expect(count).toBeGreaterThan(recent.count);
  }
  recent.dispose();
  expect(memory.usedBytes).toBe(0);
});

test("past the limit of all together others make room first, then it forgets its own", () => {
  const idle: RecentEvents[] = [];
  const memory = new RecentMemory({ events: 1_000, bytes: 1e9, totalBytes: 40_000 }, () => {
    while (memory.isOver && idle.length > 0) idle.shift()?.dispose();
  });
  const first = new RecentEvents(memory);
  const second = new RecentEvents(memory);
  for (let sequence = 1; sequence <= 20; sequence++) first.add(eventAt(sequence));
  idle.push(first);
  for (let sequence = 1; sequence <= 50; sequence++) second.add(eventAt(sequence));
  expect(idle).toEqual([]);
  expect(second.count).toBe(50);
  for (let sequence = 51; sequence <= 1_000; sequence++) second.add(eventAt(sequence));
  expect(memory.usedBytes).toBeLessThanOrEqual(40_000);
  expect(second.count).toBeGreaterThan(40);
  expect(second.sinceSequence).toBeGreaterThan(900);
});

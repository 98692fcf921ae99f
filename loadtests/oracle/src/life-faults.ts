import { EXPECTED, LIFE, RECEIVED, STORED } from "./entries.ts";
import type { Findings } from "./findings.ts";
import type { Ledger } from "./ledger.ts";
import { lifeEvent, splitLifeKey } from "./order-life.ts";

/** How long an order may go on to ring once it was answered, in milliseconds. */
const STILL_RINGS_MS = 1_000;

export interface LifeCounts {
  /** Events of orders' lives that were told, and to how many receivers. */
  readonly events: number;
  readonly eventDeliveries: number;
}

/**
 * What the platform told of orders by itself. It goes on telling while the ledger is judged, so an event is only lost to
 * a receiver that was shown a later one, or that has had `graceMs` since somebody was shown it.
 */
export function findLifeFaults(
  ledger: Ledger,
  found: Findings,
  { nowMs, graceMs }: { nowMs: number; graceMs: number },
): LifeCounts {
  const { entries, isStoredKnown } = ledger;
  const wasDeclared = ledger.ranges.lookup();
  const counts = { events: 0, eventDeliveries: 0 };
  for (let entry = 0; entry < entries.size; entry++) {
    if (!entries.is(entry, LIFE)) continue;
    const key = entries.keys.textOf(entry);
    const isReceived = entries.is(entry, RECEIVED);
    const isStored = entries.is(entry, STORED);
    if (!isReceived && !isStored) {
      if (entries.is(entry, EXPECTED)) found.add("neverFired", () => key);
      continue;
    }
    counts.events += 1;
    const group = entries.group.get(entry);
    const seq = entries.seq.get(entry);
    if (isStoredKnown && !isStored && seq <= ledger.storedUpTo(group)) {
      found.add("deliveredNotStored", () => key);
    }
    const isSettled = entries.offeredAtMs.get(entry) + graceMs <= nowMs;
    for (const [slot, receiver] of ledger.audienceOf(entry).receivers.entries()) {
      if (entries.isDelivered(entry, slot)) {
        counts.eventDeliveries += 1;
        continue;
      }
      const number = ledger.receivers.find(receiver);
      if (!isSettled && ledger.newestShown(number, group) < seq) continue;
      found.add("lost", () => `${key} to ${receiver}`);
      if (wasDeclared(number, group, seq)) {
        found.add("falselyComplete", () => `${key} to ${receiver}`);
      }
    }
    if (isReceived && ringsOn(entry, key)) found.add("afterAnswer", () => key);
  }
  return counts;

  /** Whether it rings although the order was answered before it in the log, and more than a moment ago. */
  function ringsOn(entry: number, key: string): boolean {
    const { order, name } = splitLifeKey(key);
    if (name !== "escalated" && !name.startsWith("reminder:")) return false;
    return (["outcome", "cancelled"] as const).some((end) => {
      const answer = entries.keys.find(lifeEvent("", order, end).key);
      if (answer < 0 || !entries.is(answer, RECEIVED)) return false;
      const laterMs = entries.offeredAtMs.get(entry) - entries.offeredAtMs.get(answer);
      return entries.seq.get(answer) < entries.seq.get(entry) && laterMs > STILL_RINGS_MS;
    });
  }
}

import { parseEventId } from "@localstreet/contracts/event-id";
import { ACKNOWLEDGED, LIFE, OFFERED, RECEIVED, STORED } from "./entries.ts";
import type { Findings } from "./findings.ts";
import type { Ledger } from "./ledger.ts";
import { lifeEvent } from "./order-life.ts";

/** What a client was told of a vendor's open orders, and where it was to follow the stream from. */
export interface Snapshot {
  readonly group: string;
  /** An event id. */
  readonly asOf: string;
  /** Keys of the orders that it says are open. */
  readonly orders: readonly string[];
  /** Whether there were no more than these. */
  readonly isWhole: boolean;
}

/**
 * Holds snapshots to the log: all that was open at their position must be in them, and nothing that was placed after it
 * or had been answered before it, or else a client that follows the stream from there never learns of it.
 */
export function findSnapshotFaults(ledger: Ledger, found: Findings): void {
  if (ledger.snapshots.length === 0) return;
  const { entries } = ledger;
  const ordersOf = groupOrders(ledger);
  const placeOf = (key: string): number => {
    const entry = entries.keys.find(key);
    const isTold = entry >= 0 && (entries.is(entry, RECEIVED) || entries.is(entry, STORED));
    return isTold ? entries.seq.get(entry) : 0;
  };
  for (const { group, asOf, orders, isWhole } of ledger.snapshots) {
    const at = parseEventId(asOf)?.sequence;
    if (at === undefined) {
      found.add("wrongAsOf", () => `"${asOf}" of ${group}`);
      continue;
    }
    const isDecided = (order: string) =>
      (["outcome", "cancelled"] as const).some((name) => {
        const place = placeOf(lifeEvent(group, order, name).key);
        return place > 0 && place <= at;
      });
    const listed = new Set(orders);
    for (const order of ordersOf(group)) {
      const entry = entries.keys.find(order);
      const place = entries.seq.get(entry);
      if (listed.has(order)) {
        if (place > at) found.add("wrongAsOf", () => `${order}, placed after ${asOf}`);
        else if (isDecided(order)) found.add("wrongAsOf", () => `${order}, answered by ${asOf}`);
      } else if (isWhole && place <= at && entries.is(entry, ACKNOWLEDGED) && !isDecided(order)) {
        found.add("missedBySnapshot", () => `${order} at ${asOf}`);
      }
    }
  }
}

/** Keys of the orders of each group whose place is known. */
function groupOrders({ entries, groups }: Ledger): (group: string) => readonly string[] {
  const byGroup = new Map<string, string[]>(groups.map((group) => [group, []]));
  for (let entry = 0; entry < entries.size; entry++) {
    if (!entries.is(entry, OFFERED) || entries.is(entry, LIFE)) continue;
    if (entries.seq.get(entry) === 0) continue;
    const group = groups[entries.group.get(entry) - 1];
    if (group !== undefined) byGroup.get(group)?.push(entries.keys.textOf(entry));
  }
  return (group) => byGroup.get(group) ?? [];
}

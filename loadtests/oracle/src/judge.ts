import { nowMs } from "./clock.ts";
import { ACKNOWLEDGED, AT_MOST_ONCE, LIFE, OFFERED, RECEIVED, REFUSED, STORED } from "./entries.ts";
import type { Findings } from "./findings.ts";
import type { Percentiles } from "./latency.ts";
import type { Ledger, Path, StoredEntry } from "./ledger.ts";
import { findLifeFaults } from "./life-faults.ts";
import { findSeqFaults } from "./seq-faults.ts";
import { findSnapshotFaults } from "./snapshots.ts";

/** What a run promised and what came of it. The rows of `FAULTS` are to be zero. */
export interface Verdict {
  readonly path: Path;
  readonly ok: boolean;
  /** Entries, each offered once however often it was sent. */
  readonly offered: number;
  readonly acknowledged: number;
  readonly refused: number;
  /** Neither acknowledged nor refused: nobody may say whether they exist. */
  readonly unknown: number;
  /** Deliveries of acknowledged entries to who must have them. */
  readonly owed: number;
  readonly delivered: number;
  /** Deliveries that are owed and never came. Of those, `falselyComplete` were declared to follow by a `complete`. */
  readonly lost: number;
  readonly falselyComplete: number;
  /** Brought again past the client's own dedupe. */
  readonly duplicated: number;
  /** Brought again on one connection, where the path says once. */
  readonly repeated: number;
  readonly outOfOrder: number;
  /** Numbers that are missing in a conversation. */
  readonly holes: number;
  /** `null` when nobody asked what is stored. */
  readonly acknowledgedNotStored: number | null;
  readonly deliveredNotStored: number | null;
  readonly storedTwice: number;
  readonly wrongPerson: number;
  /** Received, and never offered by anybody. */
  readonly unoffered: number;
  /** Another id, `seq` or group than before for the same entry, or the same `seq` for two. */
  readonly contradicted: number;
  /** A replay of another length than `resume` had said. */
  readonly brokenPromises: number;
  /** Receivers that never got the newest fix of a delivery. */
  readonly neverNewest: number;
  /** Reminders, escalations and expiries that were due and that nobody was told. */
  readonly neverFired: number;
  /** Reminders and escalations of orders that had been answered for a second. */
  readonly afterAnswer: number;
  /** Orders with two answers that were both told to have won. */
  readonly twoWinners: number;
  /** Open orders that a snapshot did not have, and orders that do not fit its position. */
  readonly missedBySnapshot: number;
  readonly wrongAsOf: number;
  /** Deliveries at most once that did not come: no fault. */
  readonly missed: number;
  /** Entries past the ledger's limit: nothing is known of them. */
  readonly unrecorded: number;
  /** Events of orders beside `new-order`, and their deliveries: in no other figure. */
  readonly events: number;
  readonly eventDeliveries: number;
  readonly droppedByClients: Record<string, number>;
  readonly refusals: Record<string, number>;
  /** From the first offer to the receipt, in milliseconds. */
  readonly latencyMs: Percentiles | null;
  readonly acknowledgeMs: Percentiles | null;
  readonly verdicts: Record<string, number>;
  readonly examples: Record<string, string[]>;
}

/** The rows that must be zero, in the order in which they are told. */
export const FAULTS = [
  "lost",
  "falselyComplete",
  "duplicated",
  "repeated",
  "outOfOrder",
  "holes",
  "acknowledgedNotStored",
  "deliveredNotStored",
  "storedTwice",
  "wrongPerson",
  "unoffered",
  "contradicted",
  "brokenPromises",
  "neverNewest",
  "neverFired",
  "afterAnswer",
  "twoWinners",
  "missedBySnapshot",
  "wrongAsOf",
  "unrecorded",
] as const satisfies readonly (keyof Verdict)[];
export type Fault = (typeof FAULTS)[number];

export interface JudgeOptions {
  readonly stored?: Iterable<StoredEntry>;
  /** How long an event that the platform tells by itself may take to everybody. 12 s when absent (PROTOCOL.md S11). */
  readonly graceMs?: number;
}

const GRACE_MS = 12_000;

/**
 * Judges a path once its load is over and everything had time to arrive (`settle`). `stored` is what the platform says
 * that it holds; without it nothing is said about what is stored, unless `ledger.store` was told before.
 */
export function judge(ledger: Ledger, options: JudgeOptions = {}): Verdict {
  if (options.stored) {
    ledger.startStored();
    for (const entry of options.stored) ledger.store(entry);
  }
  const found = ledger.findings.copy();
  const counts = countEntries(ledger, found);
  findSeqFaults(ledger, counts.unknown, found);
  const { graceMs = GRACE_MS } = options;
  const life = findLifeFaults(ledger, found, { nowMs: nowMs(), graceMs });
  findSnapshotFaults(ledger, found);
  const { isStoredKnown } = ledger;
  const isOnce = ledger.path === "orders" || ledger.path === "dashboard";
  const whereStored = (row: string) => (isStoredKnown ? found.count(row) : null);
  const faults = {
    lost: found.count("lost"),
    falselyComplete: found.count("falselyComplete"),
    duplicated: found.count("duplicated"),
    repeated: isOnce ? ledger.droppedBy.of("repeated") : 0,
    outOfOrder: found.count("outOfOrder"),
    holes: found.count("holes"),
    acknowledgedNotStored: whereStored("acknowledgedNotStored"),
    deliveredNotStored: whereStored("deliveredNotStored"),
    storedTwice: found.count("storedTwice"),
    wrongPerson: found.count("wrongPerson"),
    unoffered: found.count("unoffered"),
    contradicted: found.count("contradicted"),
    brokenPromises: found.count("brokenPromises"),
    neverNewest: found.count("neverNewest"),
    neverFired: found.count("neverFired"),
    afterAnswer: found.count("afterAnswer"),
    twoWinners: found.count("twoWinners"),
    missedBySnapshot: found.count("missedBySnapshot"),
    wrongAsOf: found.count("wrongAsOf"),
    unrecorded: ledger.unrecorded,
  } satisfies Record<Fault, number | null>;
  return {
    path: ledger.path,
    ok: FAULTS.every((row) => !faults[row]),
    ...counts,
    ...life,
    ...faults,
    droppedByClients: ledger.droppedBy.toRecord(),
    refusals: ledger.refusals.toRecord(),
    latencyMs: ledger.receiveMs.percentiles(),
    acknowledgeMs: ledger.acknowledgeMs.percentiles(),
    verdicts: ledger.verdicts.toRecord(),
    examples: found.examples(),
  };
}

/** One line: `ok` or what is wrong, then the figures. */
export function formatVerdict(verdict: Verdict): string {
  const wrongs = FAULTS.filter((row) => verdict[row]).map(
    (row) => `${verdict[row]} ${inWords(row)}`,
  );
  const { latencyMs, unknown, refused, missed, events, eventDeliveries } = verdict;
  const aside = [
    refused > 0 && `${refused} refused`,
    unknown > 0 && `${unknown} of unknown fate`,
    missed > 0 && `${missed} missed as allowed`,
    events > 0 && `${events} other events, ${eventDeliveries} times`,
    ...Object.entries(verdict.droppedByClients).map(([reason, n]) => `${n} ${reason} at clients`),
    ...Object.entries(verdict.verdicts).map(([status, n]) => `${n} ${status}`),
    latencyMs && `p50 ${latencyMs.p50} ms, p99 ${latencyMs.p99} ms, max ${latencyMs.max} ms`,
  ].filter((part) => typeof part === "string");
  const head = `${verdict.ok ? "ok    " : "FAILED"} ${verdict.path.padEnd(9)}`;
  const sums = `${verdict.offered} offered, ${verdict.acknowledged} acknowledged, ${verdict.delivered} delivered`;
  const verdictText = wrongs.length > 0 ? wrongs.join(", ") : "nothing lost or wrong";
  return [`${head} ${verdictText}`, sums, ...(aside.length > 0 ? [aside.join(", ")] : [])].join(
    "; ",
  );
}

function inWords(row: Fault): string {
  return row.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function countEntries(ledger: Ledger, found: Findings) {
  const { entries, isStoredKnown } = ledger;
  const wasDeclared = ledger.ranges.lookup();
  const counts = {
    offered: 0,
    acknowledged: 0,
    refused: 0,
    unknown: 0,
    owed: 0,
    delivered: 0,
    missed: 0,
  };
  for (let entry = 0; entry < entries.size; entry++) {
    if (entries.is(entry, LIFE)) continue;
    const name = () => entries.keys.textOf(entry);
    const isStored = entries.is(entry, STORED);
    if (!entries.is(entry, OFFERED)) {
      if (entries.is(entry, RECEIVED)) found.add("unoffered", name);
      continue;
    }
    const isAcknowledged = entries.is(entry, ACKNOWLEDGED);
    counts.offered += 1;
    if (isAcknowledged) counts.acknowledged += 1;
    else if (entries.is(entry, REFUSED)) counts.refused += 1;
    else counts.unknown += 1;
    if (isStoredKnown && !isStored && !entries.is(entry, AT_MOST_ONCE)) {
      if (isAcknowledged) found.add("acknowledgedNotStored", name);
      if (entries.is(entry, RECEIVED)) found.add("deliveredNotStored", name);
    }
    const isOwed = isAcknowledged && !entries.is(entry, AT_MOST_ONCE);
    const group = entries.group.get(entry);
    const { receivers } = ledger.audienceOf(entry);
    if (isOwed) counts.owed += receivers.length;
    for (const [slot, receiver] of receivers.entries()) {
      if (entries.isDelivered(entry, slot)) {
        counts.delivered += 1;
        continue;
      }
      if (!isAcknowledged) continue;
      if (isOwed) {
        found.add("lost", () => `${name()} to ${receiver}`);
        if (wasDeclared(ledger.receivers.find(receiver), group, entries.seq.get(entry))) {
          found.add("falselyComplete", () => `${name()} to ${receiver}`);
        }
      } else if (ledger.newestOfGroup.get(group) === entry) {
        found.add("neverNewest", () => `${name()} to ${receiver}`);
      } else counts.missed += 1;
    }
  }
  return counts;
}

import { Audiences } from "./audiences.ts";
import { nowMs } from "./clock.ts";
import {
  ACKNOWLEDGED,
  AT_MOST_ONCE,
  Entries,
  EXPECTED,
  LIFE,
  OFFERED,
  RECEIVED,
  REFUSED,
  STORED,
} from "./entries.ts";
import { Findings } from "./findings.ts";
import { hash52 } from "./hash.ts";
import { Lanes } from "./lanes.ts";
import { Latency } from "./latency.ts";
import { Members } from "./members.ts";
import { Names } from "./names.ts";
import { type LifeEvent, lifeEvent } from "./order-life.ts";
import { type Sighting, Sightings } from "./sightings.ts";
import type { Snapshot } from "./snapshots.ts";
import { Tally } from "./tally.ts";
import { VerdictRanges } from "./verdict-ranges.ts";

export type Path = "orders" | "chat" | "tracking" | "dashboard";

export interface Offer {
  /**
   * Receivers that must get it. The same array for many entries costs nothing; it is not to be changed afterwards.
   */
  readonly audience: readonly string[];
  /** Whoever was admitted to one of these may get it as well, and has nobody wronged by it. */
  readonly scopes?: readonly string[];
  readonly group?: string | undefined;
  /** When it was first sent, in milliseconds of any clock that all callers of this ledger share. */
  readonly atMs: number;
  /** Nobody is owed it. Always so for tracking. */
  readonly atMostOnce?: boolean;
}

export interface StoredEntry extends Sighting {
  readonly key: string;
  /** Of an event of an order's life: the order's key. */
  readonly order?: string;
}

/**
 * What was offered, acknowledged, received and stored on one path, in columns of numbers: see `bytes`. All clients of a
 * run write to it, and `judge` reads it. A key is an `orderKey`, a `clientMessageId`, a `fixKey`; 255 bytes at most.
 */
export class Ledger {
  readonly path: Path;
  readonly maxEntries: number;
  readonly entries = new Entries();
  readonly audiences = new Audiences();
  readonly findings = new Findings();
  readonly receiveMs = new Latency();
  readonly acknowledgeMs = new Latency();
  readonly refusals = new Tally();
  readonly droppedBy = new Tally();
  readonly verdicts = new Tally();
  readonly ranges = new VerdictRanges();
  /** Entries past `maxEntries`: nothing is known of them. */
  unrecorded = 0;
  /** Whether what is stored was asked for, so that what is missing there is missing. */
  isStoredKnown = false;
  readonly receivers = new Names();
  readonly #groups = new Names();
  readonly #sightings: Sightings;
  readonly #admitted = new Set<string>();
  readonly #members = new Members();
  readonly #lanes = new Lanes();
  /** On tracking, per group: the acknowledged fix with the highest `seq`, the only one that is owed. */
  readonly newestOfGroup = new Map<number, number>();
  /** Snapshots that clients were given, to be held to the log when all is over. */
  readonly snapshots: Snapshot[] = [];
  readonly #storedUpTo = new Map<number, number>();
  #owed = 0;
  /** Events that must be told and that nobody was told yet. */
  #expected = 0;

  constructor(path: Path, maxEntries: number) {
    this.path = path;
    this.maxEntries = maxEntries;
    const { entries, findings } = this;
    const placeIsInId = path === "orders" || path === "dashboard";
    this.#sightings = new Sightings({ entries, findings, groups: this.#groups, placeIsInId });
  }

  /** Before it is sent: what arrives before it was offered counts as never offered. */
  offer(key: string, { audience, scopes, group, atMs, atMostOnce }: Offer): void {
    const entry = this.#entryOf(key);
    if (entry < 0 || this.entries.is(entry, OFFERED)) return;
    this.entries.mark(entry, OFFERED);
    if (atMostOnce || this.path === "tracking") this.entries.mark(entry, AT_MOST_ONCE);
    this.entries.offeredAtMs.set(entry, atMs);
    this.entries.audience.set(entry, this.audiences.numberOf(audience, scopes));
    this.entries.reserve(entry, this.audienceOf(entry).receivers.length);
    this.#sightings.add(entry, { group });
  }

  /** The platform said that it is durable (PROTOCOL.md G5). */
  acknowledge(key: string, sighting: Sighting & { readonly atMs: number }): void {
    const entry = this.#entryOf(key);
    if (entry < 0) return;
    this.#sightings.add(entry, sighting);
    if (this.entries.is(entry, ACKNOWLEDGED)) return;
    this.entries.mark(entry, ACKNOWLEDGED);
    this.entries.unmark(entry, REFUSED);
    if (!this.entries.is(entry, OFFERED)) return;
    this.acknowledgeMs.add(sighting.atMs - this.entries.offeredAtMs.get(entry));
    if (this.entries.is(entry, AT_MOST_ONCE)) this.#keepNewest(entry);
    else this.#owed += this.#missing(entry);
  }

  /**
   * It was refused for good, or given up. With `mayExist` some attempt may have been carried out all the same (an answer
   * that was lost, a store that was slow): then nobody knows its fate, and only the code is counted.
   */
  refuse(
    key: string,
    {
      code,
      mayExist,
    }: { readonly code: string; readonly mayExist?: boolean; readonly atMs?: number },
  ): void {
    this.refusals.add(code);
    const entry = this.#entryOf(key);
    if (entry < 0 || mayExist || this.entries.is(entry, ACKNOWLEDGED)) return;
    this.entries.mark(entry, REFUSED);
  }

  /** Whether anything was ever said of this key. */
  knows(key: string): boolean {
    return this.entries.keys.find(key) >= 0;
  }

  /** What a receiver was shown, after its own dedupe. */
  receive(
    receiver: string,
    { key, atMs, ...sighting }: Sighting & { readonly key: string; readonly atMs: number },
  ): void {
    const entry = this.#entryOf(key);
    if (entry >= 0) this.#take(receiver, entry, sighting, atMs);
  }

  /**
   * What a receiver was shown of an order beside the order itself. It is owed to whom the order was, comes once and in
   * one order with the orders, and counts among none of their figures.
   */
  follow(
    receiver: string,
    { id, atMs, ...event }: LifeEvent & { readonly id: string | undefined; readonly atMs: number },
  ): void {
    const entry = this.#lifeEntryOf(event, atMs);
    if (entry < 0) return;
    const { idHash } = this.entries;
    const isExpected = this.entries.is(entry, EXPECTED) && !this.entries.is(entry, RECEIVED);
    if (isExpected) {
      this.#expected -= 1;
      this.entries.offeredAtMs.set(entry, atMs);
    }
    const known = idHash.get(entry);
    const isOutcome = event.key === lifeEvent(event.group, event.order, "outcome").key;
    if (isOutcome && id !== undefined && known !== 0 && known !== hash52(id)) {
      this.findTwoWinners(event.order);
    }
    this.#take(receiver, entry, { id, group: event.group }, atMs);
  }

  /** An event that the platform must tell by itself. `outstanding` counts it until somebody is told. */
  expect(event: LifeEvent): void {
    const entry = this.#lifeEntryOf(event, 0);
    if (entry < 0 || this.entries.is(entry, EXPECTED)) return;
    this.entries.mark(entry, EXPECTED);
    if (!this.entries.is(entry, RECEIVED)) this.#expected += 1;
  }

  /** Whether somebody was shown it. */
  wasTold({ key }: LifeEvent): boolean {
    const entry = this.entries.keys.find(key);
    return entry >= 0 && this.entries.is(entry, RECEIVED);
  }

  /** Two who answered an order were told of different winners. */
  findTwoWinners(order: string): void {
    this.findings.add("twoWinners", () => order);
  }

  /** From now on `receiver` may get what is offered to `scope`, though it need not. */
  admit(receiver: string, scope: string): void {
    this.#admitted.add(`${scope}\n${receiver}`);
  }

  /** From now on `receiver` must get what is offered to `scope`: it is connected and has been told so. */
  join(receiver: string, scope: string): void {
    this.admit(receiver, scope);
    this.#members.join(receiver, scope);
  }

  /** What is offered from now on is not owed to `receiver` any more; what it was owed before still is. */
  leave(receiver: string, scope: string): void {
    this.#members.leave(receiver, scope);
  }

  /** An audience for `offer`: the same array until somebody joins or leaves. */
  membersOf(scope: string): readonly string[] {
    return this.#members.of(scope);
  }

  /**
   * What a receiver was told about its history (PROTOCOL.md S6). With `range`, everything of the group after `from` up to
   * `to` was declared to follow.
   */
  sawVerdict(
    receiver: string,
    status: string,
    range?: { readonly group: string; readonly from: number; readonly to: number },
  ): void {
    this.verdicts.add(status);
    if (status !== "complete" || !range) return;
    this.ranges.add(this.receivers.numberOf(receiver), this.#groups.numberOf(range.group), range);
  }

  /** What a client had to throw away or to mend before it could show it. */
  dropped(_receiver: string, reason: string): void {
    this.droppedBy.add(reason);
  }

  /** A promise broken that only the client could see, such as a replay of fewer events than `resume` had said. */
  broken(receiver: string, what: string): void {
    this.findings.add("brokenPromises", () => `${what}, to ${receiver}`);
  }

  /** What is stored is about to be told, all of it: what was told before is forgotten. */
  startStored(): void {
    this.isStoredKnown = true;
    for (let entry = 0; entry < this.entries.size; entry++) this.entries.unmark(entry, STORED);
  }

  /** What is stored of the group was told up to this place, and not what came after it. */
  storeUpTo(group: string, seq: number): void {
    this.#storedUpTo.set(this.#groups.numberOf(group), seq);
  }

  /** @returns infinity where nobody has said how far. */
  storedUpTo(group: number): number {
    return this.#storedUpTo.get(group) ?? Number.POSITIVE_INFINITY;
  }

  /** The newest place in a group that a receiver was shown, both by their numbers; 0 when there is none. */
  newestShown(receiver: number, group: number): number {
    return this.#lanes.newest(receiver, group);
  }

  /** What the platform's own store holds. */
  store({ key, order, ...sighting }: StoredEntry): void {
    this.isStoredKnown = true;
    const entry =
      order === undefined
        ? this.#entryOf(key)
        : this.#lifeEntryOf({ key, order, group: sighting.group ?? "" }, nowMs());
    if (entry < 0) return;
    this.#sightings.add(entry, sighting);
    if (this.entries.is(entry, STORED)) this.findings.add("storedTwice", () => key);
    this.entries.mark(entry, STORED);
  }

  /**
   * Deliveries that are owed: of acknowledged entries, to members of their audience; on tracking, of the newest fixes.
   * And events that are expected and that nobody was told.
   */
  outstanding(): number {
    let owed = this.#owed + this.#expected;
    for (const entry of this.newestOfGroup.values()) {
      owed += this.#missing(entry);
    }
    return owed;
  }

  audienceOf(entry: number) {
    return this.audiences.at(this.entries.audience.get(entry));
  }

  /** The groups that are known, in the order of their numbers, which begin with one. */
  get groups(): readonly string[] {
    return this.#groups.all;
  }

  /** Bytes that the entries take, which is all that grows with their number. */
  get bytes(): number {
    return this.entries.bytes;
  }

  #entryOf(key: string): number {
    const found = this.entries.keys.find(key);
    if (found >= 0) return found;
    if (this.entries.size >= this.maxEntries) {
      this.unrecorded += 1;
      return -1;
    }
    return this.entries.keys.add(key);
  }

  /** The entry of an event that nobody offers but the platform: whoever the order is owed to is owed it as well. */
  #lifeEntryOf({ key, order, group }: LifeEvent, atMs: number): number {
    const entry = this.#entryOf(key);
    if (entry < 0 || this.entries.is(entry, LIFE)) return entry;
    this.entries.mark(entry, LIFE | OFFERED);
    this.entries.offeredAtMs.set(entry, atMs);
    const about = this.entries.keys.find(order);
    const known = about < 0 ? 0 : this.entries.audience.get(about);
    const audience = known === 0 ? this.audiences.numberOf([], [group]) : known;
    this.entries.audience.set(entry, audience);
    this.entries.reserve(entry, this.audienceOf(entry).receivers.length);
    this.#sightings.add(entry, { group });
    return entry;
  }

  #take(receiver: string, entry: number, sighting: Sighting, atMs: number): void {
    const name = () => this.entries.keys.textOf(entry);
    const isLife = this.entries.is(entry, LIFE);
    this.entries.mark(entry, RECEIVED);
    this.#sightings.add(entry, sighting);
    if (!this.entries.is(entry, OFFERED)) return;
    const audience = this.audienceOf(entry);
    const slot = audience.slots.get(receiver);
    if (slot === undefined && !audience.scopes.some((scope) => this.#isAdmitted(receiver, scope))) {
      this.findings.add("wrongPerson", () => `${name()} to ${receiver}`);
      return;
    }
    const isAgain = slot !== undefined && this.entries.isDelivered(entry, slot);
    if (slot !== undefined && !isAgain) {
      this.entries.setDelivered(entry, slot);
      if (!isLife) this.receiveMs.add(atMs - this.entries.offeredAtMs.get(entry));
      const wasOwed = this.entries.is(entry, ACKNOWLEDGED) && !this.entries.is(entry, AT_MOST_ONCE);
      if (wasOwed) this.#owed -= 1;
    }
    const wrong = this.#orderFault(receiver, entry, sighting, isAgain);
    if (wrong) this.findings.add(wrong, () => `${name()} to ${receiver}`);
  }

  /** What is wrong with the place at which an entry came. On tracking an old position is one, seen before or not. */
  #orderFault(
    receiver: string,
    entry: number,
    sighting: Sighting,
    isAgain: boolean,
  ): "duplicated" | "outOfOrder" | null {
    const group = this.entries.group.get(entry);
    const seq = this.#sightings.placeOf(entry, sighting);
    const order =
      seq > 0 && group > 0
        ? this.#lanes.advance(this.receivers.numberOf(receiver), group, seq)
        : "unknown";
    if (isAgain) return this.path === "tracking" && order === "older" ? "outOfOrder" : "duplicated";
    if (order === "older") return "outOfOrder";
    return order === "same" ? "duplicated" : null;
  }

  #missing(entry: number): number {
    let missing = 0;
    const { length } = this.audienceOf(entry).receivers;
    for (let slot = 0; slot < length; slot++) {
      if (!this.entries.isDelivered(entry, slot)) missing += 1;
    }
    return missing;
  }

  #keepNewest(entry: number): void {
    const group = this.entries.group.get(entry);
    if (group === 0 || this.path !== "tracking") return;
    const newest = this.newestOfGroup.get(group);
    const { seq } = this.entries;
    if (newest === undefined || seq.get(newest) < seq.get(entry)) {
      this.newestOfGroup.set(group, entry);
    }
  }

  #isAdmitted(receiver: string, scope: string): boolean {
    return this.#admitted.has(`${scope}\n${receiver}`);
  }
}

/** @param maxEntries entries past it are counted as `unrecorded`, and no verdict over them is a good one. Five million when absent. */
export function createLedger(options: { path: Path; maxEntries?: number }): Ledger {
  return new Ledger(options.path, options.maxEntries ?? 5_000_000);
}

/** The key of an order: an order id is unique within its vendor (PROTOCOL.md S2). */
export function orderKey(vendorId: string, orderId: string): string {
  return `${vendorId}/${orderId}`;
}

/** The key of the line of activity about a message, which has no id: its text begins with the message's id. */
export function activityKey(clientMessageId: string): string {
  return `activity/${clientMessageId}`;
}

/** The key of a fix, which has no id of its own: a driver's phone gives every fix another `recordedAt`. */
export function fixKey(deliveryId: string, recordedAtMs: number): string {
  return `${deliveryId}@${recordedAtMs}`;
}

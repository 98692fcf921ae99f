import type { Summary } from "@localstreet/contracts/dashboard";
import type { VendorId } from "@localstreet/contracts/ids";
import { raise } from "@localstreet/contracts/raise";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import { type DayFigures, readDayFigures } from "@localstreet/db/day-figures";
import type { Pool } from "@localstreet/db/pool";
import { readVendorSettings } from "@localstreet/db/vendor-settings";
import type { Logger } from "@localstreet/service-kit/logger";
import { type VendorDay, vendorDayAt } from "./vendor-day.ts";

type Send = (frame: Buffer) => void;

/** The `summary` of every vendor that somebody here looks at: computed once, encoded once, sent to all (PROTOCOL.md S38). */
export interface Summaries {
  /** Sends the summary as it stands, and each that differs from the one before. Returns the end of it. */
  follow(vendorId: VendorId, send: Send): () => void;
  /** The vendor's log has grown to this sequence: the figures are wanted with it. */
  noteEvent(vendorId: VendorId, sequence: number): void;
  /** Something else that is counted has changed. */
  noteChange(vendorId: VendorId): void;
  /** How many were computed since the start, by what came of it. */
  readonly computed: { readonly fresh: number; readonly stale: number };
  close(): void;
}

export interface SummariesOptions {
  pool: Pool;
  logger: Pick<Logger, "info" | "warn" | "error">;
  /** A vendor's summary is computed this often at most, in milliseconds. */
  everyMs: number;
  /** And this often without any cause: what nobody tells of is noticed then, in milliseconds. */
  refreshMs: number;
  defaultTimeZone: string;
  deliveriesUnderWay: (vendorId: VendorId) => number | null;
  devicesOnline: (vendorId: VendorId) => Promise<number | null>;
  /** Milliseconds since the epoch: tells which day it is. By the clock of Postgres, unless a test has one. */
  now?: () => number;
}

interface Followed {
  readonly vendorId: VendorId;
  readonly sends: Set<Send>;
  day: VendorDay;
  /** As last read, for that date, at that time. */
  read: { readonly figures: DayFigures; readonly date: string; readonly asOf: string } | null;
  frame: Buffer | null;
  /** What the newest frame says, its `asOf` aside: it is sent again when that changes. */
  told: string;
  isChanged: boolean;
  isComputing: boolean;
  computedAtMs: number;
  wantedSequence: number;
  wantedAtMs: number;
}

/** Vendors whose figures are read at the same time: a storm of dashboards must not take all connections to Postgres. */
const READS_AT_ONCE = 4;
/** After a read has failed, others do not wait for the same failure for this long, in milliseconds. */
const UNAVAILABLE_MS = 1_000;
/** The projection is asked again and again for an event until it is this old, in milliseconds; then at each refresh. */
const CATCH_UP_MS = 10_000;

export function openSummaries(options: SummariesOptions): Summaries {
  const { pool, logger, everyMs, refreshMs } = options;
  // Which day it is has to be the same on every replica; until Postgres has answered once nothing is known of any.
  let aheadMs = 0;
  const now = options.now ?? (() => Date.now() + aheadMs);
  const vendors = new Map<VendorId, Followed>();
  const due = new Set<Followed>();
  const computed = { fresh: 0, stale: 0 };
  let reads = 0;
  let unavailableUntilMs = 0;
  let isAway = false;

  function isDue(followed: Followed, nowMs: number): boolean {
    const { read, wantedSequence, computedAtMs } = followed;
    if (followed.isChanged || nowMs - computedAtMs >= refreshMs) return true;
    if (now() >= followed.day.endsAtMs) return true;
    const isBehind = (read?.figures.sequence ?? 0) < wantedSequence;
    return isBehind && nowMs - followed.wantedAtMs < CATCH_UP_MS;
  }

  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const followed of vendors.values()) {
      if (!followed.isComputing && isDue(followed, nowMs)) enqueue(followed);
    }
  }, everyMs);

  function enqueue(followed: Followed): void {
    followed.isComputing = true;
    due.add(followed);
    if (reads < READS_AT_ONCE) computeDue().catch(raise);
  }

  async function computeDue(): Promise<void> {
    reads += 1;
    for (const followed of due) {
      due.delete(followed);
      try {
        if (vendors.get(followed.vendorId) === followed) await compute(followed);
      } catch (error) {
        // One vendor's summary: it comes with the next change, and others do not wait for it.
        logger.error({ err: error, vendorId: followed.vendorId }, "a summary failed");
      }
      followed.isComputing = false;
    }
    reads -= 1;
  }

  async function compute(followed: Followed): Promise<void> {
    followed.isChanged = false;
    followed.computedAtMs = performance.now();
    const [isFresh, devicesOnline] = await Promise.all([
      readRecord(followed),
      options.devicesOnline(followed.vendorId),
    ]);
    computed[isFresh ? "fresh" : "stale"] += 1;
    tell(followed, isFresh, devicesOnline);
  }

  /** @returns whether Postgres answered. */
  async function readRecord(followed: Followed): Promise<boolean> {
    const { vendorId } = followed;
    followed.day = today(followed, followed.day.timeZone);
    if (performance.now() < unavailableUntilMs) return false;
    try {
      const settings = await readVendorSettings(pool, vendorId);
      const timeZone = settings?.timeZone ?? options.defaultTimeZone;
      let day = today(followed, timeZone);
      let figures = await readFigures(vendorId, day);
      if (today(followed, timeZone).date !== day.date) {
        // Another day than this replica thought, or one that ended meanwhile.
        day = today(followed, timeZone);
        figures = await readFigures(vendorId, day);
      }
      followed.day = day;
      followed.read = { figures, date: day.date, asOf: figures.at.toISOString() };
      if (isAway) logger.info({}, "summaries can be read again");
      isAway = false;
      return true;
    } catch (error) {
      unavailableUntilMs = performance.now() + UNAVAILABLE_MS;
      if (!isAway) logger.warn({ err: error, vendorId }, "summaries cannot be read");
      isAway = true;
      return false;
    }
  }

  async function readFigures(vendorId: VendorId, day: VendorDay): Promise<DayFigures> {
    const [from, until] = [new Date(day.startsAtMs), new Date(day.endsAtMs)];
    const figures = await readDayFigures(pool, { vendorId, from, until });
    aheadMs = figures.at.getTime() - Date.now();
    return figures;
  }

  function today({ day }: Followed, timeZone: string): VendorDay {
    const nowMs = now();
    const isSame = day.timeZone === timeZone && day.startsAtMs <= nowMs && nowMs < day.endsAtMs;
    return isSame ? day : vendorDayAt(timeZone, nowMs);
  }

  function tell(followed: Followed, isFresh: boolean, devicesOnline: number | null): void {
    const { vendorId, day, read } = followed;
    // Of a day that began while the record was away nothing is known.
    const ofToday = read?.date === day.date ? read.figures : null;
    const summary: Summary = {
      day: day.date,
      timeZone: day.timeZone,
      orders: ofToday?.orders ?? null,
      revenue: ofToday ? [...ofToday.revenue] : null,
      openOrders: read?.figures.openOrders ?? null,
      unreadChats: read?.figures.unreadChats ?? null,
      deliveriesUnderWay: options.deliveriesUnderWay(vendorId),
      devicesOnline,
      stale: !isFresh,
      asOf: read?.asOf ?? null,
    };
    followed.frame = Buffer.from(
      encodeSseEvent({ event: "summary", data: JSON.stringify(summary) }),
    );
    const told = JSON.stringify({ ...summary, asOf: null });
    if (told === followed.told) return;
    followed.told = told;
    for (const send of followed.sends) send(followed.frame);
  }

  function newlyFollowed(vendorId: VendorId): Followed {
    return {
      vendorId,
      sends: new Set(),
      day: vendorDayAt(options.defaultTimeZone, now()),
      read: null,
      frame: null,
      told: "",
      isChanged: false,
      isComputing: false,
      computedAtMs: 0,
      wantedSequence: 0,
      wantedAtMs: 0,
    };
  }

  return {
    follow(vendorId, send) {
      let followed = vendors.get(vendorId);
      if (followed) {
        // One more device.
        followed.isChanged = true;
      } else {
        followed = newlyFollowed(vendorId);
        vendors.set(vendorId, followed);
        enqueue(followed);
      }
      const { sends, frame } = followed;
      sends.add(send);
      if (frame) send(frame);
      return () => {
        sends.delete(send);
        followed.isChanged = true;
        if (sends.size === 0) vendors.delete(vendorId);
      };
    },
    noteEvent(vendorId, sequence) {
      const followed = vendors.get(vendorId);
      if (!followed || followed.wantedSequence >= sequence) return;
      followed.wantedSequence = sequence;
      followed.wantedAtMs = performance.now();
      followed.isChanged = true;
    },
    noteChange(vendorId) {
      const followed = vendors.get(vendorId);
      if (followed) followed.isChanged = true;
    },
    computed,
    close() {
      clearInterval(timer);
      vendors.clear();
      due.clear();
    },
  };
}

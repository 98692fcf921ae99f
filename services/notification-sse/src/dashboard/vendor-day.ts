/** One day of a vendor, in its time zone. 23 and 25 hours happen. */
export interface VendorDay {
  readonly timeZone: string;
  /** As `2026-11-24`. */
  readonly date: string;
  /** Its first moment, and that of the next day, in milliseconds since the epoch. */
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

/** More than any day has, wherever clocks are changed. */
const LONGER_THAN_A_DAY_MS = 50 * 3_600_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** The day that it is in a time zone (an IANA name) at `atMs`. */
export function vendorDayAt(timeZone: string, atMs: number): VendorDay {
  const date = dateAt(timeZone, atMs);
  // By the dates alone: in some zones the clock goes from 23:59 to 01:00, and there is no midnight.
  return {
    timeZone,
    date,
    startsAtMs: firstMoment(
      atMs - LONGER_THAN_A_DAY_MS,
      atMs,
      (ms) => dateAt(timeZone, ms) >= date,
    ),
    endsAtMs: firstMoment(atMs, atMs + LONGER_THAN_A_DAY_MS, (ms) => dateAt(timeZone, ms) > date),
  };
}

/** The first moment after `beforeMs` for which `holds`, which it does at `atMs` and from then on. */
function firstMoment(beforeMs: number, atMs: number, holds: (ms: number) => boolean): number {
  let low = beforeMs;
  let high = atMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function dateAt(timeZone: string, ms: number): string {
  let format = formats.get(timeZone);
  if (!format) {
    // Swedish dates are ISO 8601's.
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" });
    formats.set(timeZone, format);
  }
  return format.format(ms);
}

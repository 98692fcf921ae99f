import type { Bus } from "./connection.ts";
import { openLogReader } from "./log-reader.ts";
import { readStreamInfo, type StoredEvent } from "./stream-reads.ts";

/** Each narrows the range at least by half. */
const MAX_PROBES = 40;
/** Reading this many times too much costs less than another probe. */
const SLACK = 4;
const PAGE_EVENTS = 256;
const PAGE_WAIT_MS = 1_000;

/**
 * The newest `count` events of a subject up to a sequence, or all when fewer are kept. JetStream cannot be asked for them
 * from the end, but it knows how many a subject has: those of a quiet one are read at once, and of a busy one a place is
 * sought behind which there are enough, and not far too many.
 *
 * @throws {BusUnavailableError}
 */
export async function readLast(
  bus: Bus,
  stream: string,
  options: { readonly subject: string; readonly count: number; readonly untilSequence: number },
): Promise<readonly StoredEvent[]> {
  const { subject, count, untilSequence } = options;
  if (count === 0 || untilSequence === 0) return [];
  const { state } = await readStreamInfo(bus, stream, { subjects_filter: subject });
  const kept = state.subjects?.[subject] ?? 0;
  if (kept === 0) return [];
  const beginning = Math.max(0, state.first_seq - 1);
  // Behind `high` there are too few. Behind `low` there are enough, or it is the beginning.
  let low = beginning;
  let high = untilSequence;
  let distance =
    kept <= count * SLACK ? high : Math.ceil(((high - beginning) / kept) * count * (SLACK / 2));
  for (let probe = 1; ; probe++) {
    const afterSequence = Math.max(low, high - distance);
    const isBeginning = afterSequence === beginning;
    const reader = openLogReader(bus, stream, { afterSequence, subject, batch: PAGE_EVENTS });
    try {
      const pendingCount = await reader.countPending();
      const isNarrow = high - afterSequence <= 1 || probe >= MAX_PROBES;
      if (pendingCount > count * SLACK && !isNarrow) {
        low = afterSequence;
        distance = Math.ceil((high - low) / 2);
        continue;
      }
      if (pendingCount >= count || isBeginning) {
        let events: StoredEvent[] = [];
        for (let atEnd = pendingCount === 0; !atEnd; ) {
          const page = await reader.next(PAGE_WAIT_MS);
          const wanted = page.events.filter(({ sequence }) => sequence <= untilSequence);
          events = [...events, ...wanted].slice(-count);
          atEnd = page.atEnd || wanted.length < page.events.length;
        }
        // Some of what was counted may have come since.
        if (events.length === count || isBeginning) return events;
      }
      high = afterSequence;
      distance = low > beginning ? Math.ceil((high - low) / 2) : distance * 8;
    } finally {
      reader.close();
    }
  }
}

import type { Bus } from "./connection.ts";
import { openStreamConsumer, type StreamConsumer } from "./stream-consumer.ts";
import { readStreamInfo, type StoredEvent } from "./stream-reads.ts";

/** Each narrows the range at least by half. */
const MAX_PROBES = 40;
/** Reading this many times too much costs less than another probe. */
const SLACK = 4;
const PAGE_EVENTS = 256;
const PAGE_WAIT_MS = 1_000;

/**
 * The newest `count` events of a subject up to a sequence, or all when fewer are kept. JetStream cannot be asked for them
 * from the end: what is behind a sequence is counted until the count is right, or not much too large.
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
  const { state } = await readStreamInfo(bus, stream);
  const beginning = Math.max(0, state.first_seq - 1);
  // Behind `high` there are too few. Behind `low` there are enough, or it is the beginning.
  let low = beginning;
  let high = untilSequence;
  let distance = count;
  for (let probe = 1; ; probe++) {
    const afterSequence = Math.max(low, high - distance);
    const isBeginning = afterSequence === beginning;
    const consumer = await openStreamConsumer(bus, stream, { afterSequence, subject });
    try {
      const { pendingCount } = consumer;
      const isNarrow = high - afterSequence <= 1 || probe >= MAX_PROBES;
      if (pendingCount > count * SLACK && !isNarrow) {
        low = afterSequence;
        distance = Math.ceil((high - low) / 2);
        continue;
      }
      if (pendingCount >= count || isBeginning) {
        const events = await readAll(consumer, count, untilSequence);
        // Some of what was counted may have come since.
        if (events.length === count || isBeginning) return events;
      }
      high = afterSequence;
      distance = low > beginning ? Math.ceil((high - low) / 2) : distance * 8;
    } finally {
      consumer.close();
    }
  }
}

/** The last `count` of what a consumer has up to a sequence. */
async function readAll(
  consumer: StreamConsumer,
  count: number,
  untilSequence: number,
): Promise<StoredEvent[]> {
  let events: StoredEvent[] = [];
  while (consumer.pendingCount > 0) {
    const page = (await consumer.next(PAGE_EVENTS, PAGE_WAIT_MS)).events;
    const wanted = page.filter(({ sequence }) => sequence <= untilSequence);
    events = [...events, ...wanted].slice(-count);
    if (wanted.length < page.length || page.length === 0) break;
  }
  return events;
}

import { createBackoff } from "./backoff.ts";
import { BusUnavailableError } from "./bus-error.ts";
import type { Bus } from "./connection.ts";
import type { SharedPage, SharedPages } from "./shared-pages.ts";
import { openStreamConsumer, type StreamConsumer } from "./stream-consumer.ts";
import { readDirect, readFromLeader, readStreamInfo, type StoredEvent } from "./stream-reads.ts";

export interface PageRange {
  readonly subject: string;
  readonly afterSequence: number;
  readonly untilSequence: number;
  /** Somebody was told that nothing of the range is missing: fails when an event may have expired before it was read. */
  readonly isWhole?: boolean;
  /** For how long reading is tried on without an answer; 0 for a failure at once. */
  readonly patienceMs?: number;
}

/** Most who come back miss a few events: those are read one by one, without a consumer. */
const SINGLE_READS = 4;
/** A page is little memory, and long enough for a consumer to be quick. */
const PAGE_BYTES = 256 * 1024;
const PAGE_EVENTS = { least: 16, most: 256 };
/** How long a consumer that brings nothing is waited for until the leader is asked. */
const PAGE_WAIT_MS = 1_000;

/**
 * A subject's events with `afterSequence < sequence <= untilSequence`, in order, as far as they are kept, in pages of
 * bounded size; each is read when it is asked for. Reads from any replica: when that one has nothing more the leader says
 * whether it lags. Goes on where it was when the consumer or the connection is lost. Readers at the same place share a page.
 *
 * @throws {BusUnavailableError} also when the log no longer holds what was read of it before.
 */
export async function* readPages(
  bus: Bus,
  stream: string,
  shared: SharedPages,
  range: PageRange,
): AsyncGenerator<readonly StoredEvent[]> {
  const { subject, untilSequence, patienceMs = 0 } = range;
  let position = range.afterSequence;
  let last: StoredEvent | null = null;
  let consumer: StreamConsumer | null = null;
  let consumerPosition = 0;
  let batch = PAGE_EVENTS.least;

  function dropConsumer(): void {
    consumer?.close();
    consumer = null;
  }

  async function readSingles(): Promise<StoredEvent[]> {
    const page: StoredEvent[] = [];
    for (let at = position; page.length < SINGLE_READS && at < untilSequence; ) {
      const query = { seq: at + 1, next_by_subj: subject };
      const event =
        (await readDirect(bus, stream, query)) ?? (await readFromLeader(bus, stream, query));
      if (!event || event.sequence > untilSequence) break;
      page.push(event);
      at = event.sequence;
    }
    return page;
  }

  async function readBatch(): Promise<SharedPage> {
    // The pages between came from other readers.
    if (consumerPosition !== position) dropConsumer();
    consumer ??= await openStreamConsumer(bus, stream, { afterSequence: position, subject });
    const { events, pendingCount } = await consumer.next(batch, PAGE_WAIT_MS);
    consumerPosition = events.at(-1)?.sequence ?? position;
    if (pendingCount === 0 || events.length === 0) dropConsumer();
    return { events, firstSequence: await readFirstSequence() };
  }

  async function readFirstSequence(): Promise<number> {
    return (await readStreamInfo(bus, stream)).state.first_seq;
  }

  async function nextPage(): Promise<readonly StoredEvent[]> {
    let page: SharedPage | null = null;
    if (last) page = await shared.read(subject, position, readBatch);
    if (page && page.events.length > 0) {
      const bytes = page.events.reduce((sum, { data }) => sum + data.byteLength, 0);
      const fitting = Math.floor(PAGE_BYTES / (bytes / page.events.length + 1));
      batch = Math.min(PAGE_EVENTS.most, Math.max(PAGE_EVENTS.least, fitting));
    } else {
      const events = await readSingles();
      page = { events, firstSequence: range.isWhole ? await readFirstSequence() : 0 };
    }
    if (range.isWhole && page.firstSequence > position + 1) {
      throw new HistoryLostError(`events of ${stream} expired before they were read`);
    }
    return page.events.filter(({ sequence }) => sequence <= untilSequence);
  }

  /** While it could not be read the log may have become another. */
  async function checkHistory(): Promise<void> {
    if (!last) return;
    const event = await readFromLeader(bus, stream, { seq: last.sequence });
    if (event && event.messageId !== last.messageId) {
      throw new HistoryLostError(`${stream} is no longer the log that was read`);
    }
  }

  const backoff = createBackoff(50, 1_000);
  let failedSinceMs = 0;
  try {
    while (position < untilSequence) {
      let page: readonly StoredEvent[];
      try {
        if (failedSinceMs > 0) await checkHistory();
        page = await nextPage();
      } catch (error) {
        dropConsumer();
        failedSinceMs ||= performance.now();
        const isOver = performance.now() - failedSinceMs >= patienceMs;
        if (isOver || error instanceof HistoryLostError) throw error;
        if (!(error instanceof BusUnavailableError)) throw error;
        await backoff.wait();
        continue;
      }
      failedSinceMs = 0;
      last = page.at(-1) ?? null;
      if (!last) return;
      yield page;
      position = last.sequence;
    }
  } finally {
    dropConsumer();
  }
}

/** Not worth another try by the reader, but by its client: where it stands has to be judged again. */
class HistoryLostError extends BusUnavailableError {}

import { createBackoff } from "./backoff.ts";
import { BusUnavailableError } from "./bus-error.ts";
import type { Bus } from "./connection.ts";
import { isGone, readBounds } from "./log-bounds.ts";
import { type LogPosition, positionOf } from "./log-position.ts";
import { type LogReader, LogReplacedError, openLogReader } from "./log-reader.ts";
import type { SharedPage, SharedPages } from "./shared-pages.ts";
import { readFromLeader, type StoredEvent } from "./stream-reads.ts";

export interface PageRange {
  readonly subject: string;
  /** What is read lies behind this position, up to `untilSequence`. */
  readonly after: LogPosition;
  readonly untilSequence: number;
  /** The log that is meant; any without it. */
  readonly epoch?: string;
  /** Somebody relies on it that nothing of the range is missing: a page that may lack an event is an error instead. */
  readonly isWhole?: boolean;
  /** For how long reading is tried on without an answer, in milliseconds; 0 for a failure at once. */
  readonly patienceMs?: number;
  /** Bounds how many read at the same time; waiting for another try takes no turn. */
  readonly inTurn?: <T>(job: () => Promise<T>) => Promise<T>;
}

/** Most who come back miss a few events: those are read one by one, without a consumer. */
const SINGLE_READS = 4;
/** A page is little memory, and long enough for a consumer to be quick. */
const PAGE_BYTES = 256 * 1024;
const PAGE_EVENTS = { least: 16, most: 256 };
/** How long a consumer that brings nothing is waited for until the leader is asked. */
const PAGE_WAIT_MS = 1_000;

/** Events of the range are gone, or the log is another: where the reader stands has to be judged again. */
export class HistoryLostError extends BusUnavailableError {}

/**
 * A subject's events in a range, in order, as far as they are kept, in pages of bounded size; each is read when it is
 * asked for, and is known to be whole before it is handed out. Few are read from the leader, many from any replica, whose end
 * the leader has to confirm. Goes on where it was when the consumer or the connection is lost. Readers at the same place
 * share a page.
 *
 * @throws {HistoryLostError} where the range was to be whole, and when the log is no longer the one that was read.
 * @throws {BusUnavailableError}
 */
export async function* readPages(
  bus: Bus,
  stream: string,
  shared: SharedPages,
  range: PageRange,
): AsyncGenerator<readonly StoredEvent[]> {
  const { subject, untilSequence, patienceMs = 0, inTurn = (job) => job() } = range;
  let position = range.after;
  let reader: LogReader | null = null;
  let readerSequence = 0;
  const meant = range.epoch === undefined ? {} : { epoch: range.epoch };
  let batch = PAGE_EVENTS.least;
  let isSingly = true;
  let isOver = false;

  function dropReader(): void {
    reader?.close();
    reader = null;
  }

  async function readSingles(): Promise<SharedPage> {
    const events: StoredEvent[] = [];
    let isEnd = false;
    for (let at = position.sequence; events.length < SINGLE_READS && at < untilSequence; ) {
      const event = await readFromLeader(bus, stream, { seq: at + 1, next_by_subj: subject });
      isEnd = !event || event.sequence > untilSequence;
      if (!event || isEnd) break;
      events.push(event);
      at = event.sequence;
    }
    return { events, isEnd, bounds: await readBounds(bus, stream) };
  }

  async function readBatch(): Promise<SharedPage> {
    // The pages between came from other readers.
    if (readerSequence !== position.sequence) dropReader();
    reader ??= openLogReader(bus, stream, { after: position, subject, batch, ...meant });
    const { events, atEnd } = await reader.next(PAGE_WAIT_MS, batch);
    readerSequence = events.at(-1)?.sequence ?? position.sequence;
    const isEnd = atEnd || events.length === 0;
    if (isEnd) dropReader();
    const last = events.at(-1);
    const [bounds, stored] = await Promise.all([
      readBounds(bus, stream),
      last ? readFromLeader(bus, stream, { seq: last.sequence }) : null,
    ]);
    // A replica that lags may still have the log before this one. The leader has to hold the last event too, and then it
    // holds all that came before it.
    if (last && stored && stored.messageId !== last.messageId) {
      throw new BusUnavailableError(`a replica of ${stream} lags behind another log`);
    }
    return { events, isEnd, bounds };
  }

  /** Singly where few are expected: at first, and where a replica has no more. Its end is the leader's word. */
  async function nextPage(): Promise<readonly StoredEvent[]> {
    const { sequence } = position;
    const page = isSingly ? await readSingles() : await shared.read(subject, sequence, readBatch);
    const events = page.events.filter((event) => event.sequence <= untilSequence);
    isOver = isSingly && page.isEnd;
    if (range.epoch !== undefined && page.bounds.epoch !== range.epoch) {
      throw new HistoryLostError(`${stream} was made anew`);
    }
    // That nothing more is there is true of a subject whose newest events were not deleted: nats-server 2.9 loses others.
    const throughSequence = isOver ? undefined : (events.at(-1)?.sequence ?? sequence);
    if (range.isWhole && isGone(page.bounds, sequence, throughSequence)) {
      throw new HistoryLostError(`events of ${stream} were gone before they were read`);
    }
    if (!isSingly && events.length > 0) {
      const bytes = events.reduce((sum, { data }) => sum + data.byteLength, 0);
      const fitting = Math.floor(PAGE_BYTES / (bytes / events.length + 1));
      batch = Math.min(PAGE_EVENTS.most, Math.max(PAGE_EVENTS.least, fitting));
    }
    isSingly = isSingly ? events.length < SINGLE_READS : page.isEnd;
    return events;
  }

  /** While it could not be read the log may have become another. */
  async function checkHistory(): Promise<void> {
    const { sequence, mark } = position;
    if (sequence === 0 || mark === null) return;
    const event = await readFromLeader(bus, stream, { seq: sequence });
    if (event && event.messageId !== mark) {
      throw new HistoryLostError(`${stream} is no longer the log that was read`);
    }
  }

  const backoff = createBackoff(50, 1_000);
  let failedSinceMs = 0;
  try {
    while (!isOver && position.sequence < untilSequence) {
      let page: readonly StoredEvent[];
      try {
        page = await inTurn(async () => {
          if (failedSinceMs > 0) await checkHistory();
          return await nextPage();
        });
      } catch (error) {
        dropReader();
        if (error instanceof LogReplacedError) throw new HistoryLostError(error.message);
        failedSinceMs ||= performance.now();
        const isPatienceOver = performance.now() - failedSinceMs >= patienceMs;
        if (isPatienceOver || error instanceof HistoryLostError) throw error;
        if (!(error instanceof BusUnavailableError)) throw error;
        await backoff.wait();
        continue;
      }
      failedSinceMs = 0;
      const last = page.at(-1);
      if (!last) continue;
      yield page;
      position = positionOf(last);
    }
  } finally {
    dropReader();
  }
}

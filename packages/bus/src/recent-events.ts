import { LOG_START, type LogPosition, positionOf } from "./log-position.ts";
import type { StoredEvent } from "./stream-reads.ts";

/** How much of what has passed is remembered. */
export interface RecentLimits {
  /** Of one subject: events, and bytes of memory. */
  readonly events: number;
  readonly bytes: number;
  /** Bytes of all subjects of a feed together. */
  readonly totalBytes: number;
}

/** The memory that the subjects of a feed share. */
export class RecentMemory {
  usedBytes = 0;
  readonly limits: RecentLimits;
  /** Asked to let go of what is needed least, before a subject that is in use forgets its own. */
  readonly #makeRoom: () => void;

  constructor(limits: RecentLimits, makeRoom: () => void) {
    this.limits = limits;
    this.#makeRoom = makeRoom;
  }

  take(bytes: number): void {
    this.usedBytes += bytes;
    if (this.isOver) this.#makeRoom();
  }

  free(bytes: number): void {
    this.usedBytes -= bytes;
  }

  get isOver(): boolean {
    return this.usedBytes > this.limits.totalBytes;
  }
}

/** What an event costs beside its data, and what a subject costs: objects, and the text around the data of a frame. */
const OVERHEAD_BYTES = 512;

/**
 * The newest events of one subject, for those who come back soon. It is complete from `since` on: every event of the
 * subject behind that position which has passed here is in it, and nothing is claimed of what came before.
 */
export class RecentEvents {
  readonly #memory: RecentMemory;
  #since: LogPosition = LOG_START;
  #events: StoredEvent[] = [];
  /** Events in front that are forgotten; the array is cut when they are half of it. */
  #gone = 0;
  #bytes = OVERHEAD_BYTES;

  constructor(memory: RecentMemory) {
    this.#memory = memory;
    memory.take(OVERHEAD_BYTES);
  }

  get count(): number {
    return this.#events.length - this.#gone;
  }

  /** Forgets everything, and is complete from here on. */
  restart(since: LogPosition): void {
    this.#memory.free(this.#bytes - OVERHEAD_BYTES);
    this.#bytes = OVERHEAD_BYTES;
    this.#events = [];
    this.#gone = 0;
    this.#since = since;
  }

  /** Takes the next event, whose data must be memory of its own. */
  add(event: StoredEvent): void {
    this.#events.push(event);
    const bytes = bytesOf(event);
    this.#bytes += bytes;
    this.#memory.take(bytes);
    const { limits } = this.#memory;
    while (
      this.count > 0 &&
      (this.count > limits.events || this.#bytes > limits.bytes || this.#memory.isOver)
    ) {
      this.#forgetOldest();
    }
  }

  /** Lets go of its memory; not to be used after. */
  dispose(): void {
    this.#memory.free(this.#bytes);
    this.#events = [];
  }

  /** Every event behind this sequence is here. */
  get sinceSequence(): number {
    return this.#since.sequence;
  }

  /** The mark of the position right after an event that is here, and of the one that it is complete from. */
  markAt(sequence: number): string | null {
    if (sequence === this.#since.sequence) return this.#since.mark;
    const event = this.#events[this.#indexBehind(sequence - 1)];
    return event?.sequence === sequence ? event.messageId : null;
  }

  /** The events with `afterSequence < sequence <= untilSequence`. */
  between(afterSequence: number, untilSequence: number): StoredEvent[] {
    return this.#events.slice(this.#indexBehind(afterSequence), this.#indexBehind(untilSequence));
  }

  /** The newest events up to a sequence; `null` when that many are not here. */
  last(count: number, untilSequence: number): StoredEvent[] | null {
    const end = this.#indexBehind(untilSequence);
    return end - this.#gone < count ? null : this.#events.slice(end - count, end);
  }

  /** Where the first event behind a sequence is. */
  #indexBehind(sequence: number): number {
    let low = this.#gone;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle] as StoredEvent).sequence > sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #forgetOldest(): void {
    const event = this.#events[this.#gone] as StoredEvent;
    this.#since = positionOf(event);
    this.#gone++;
    const bytes = bytesOf(event);
    this.#bytes -= bytes;
    this.#memory.free(bytes);
    if (this.#gone * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#gone);
      this.#gone = 0;
    }
  }
}

/** The data twice: as it came, and in the frame that is kept with it. */
function bytesOf(event: StoredEvent): number {
  return event.data.byteLength * 2 + OVERHEAD_BYTES;
}

import { createBackoff } from "./backoff.ts";
import type { BusLogger } from "./connection.ts";
import { RecentEvents, type RecentMemory } from "./recent-events.ts";
import type { LogEnd, LogPosition, StoredEvent, SubjectLog } from "./subject-log.ts";

/** What the leader says of a subject: its newest event, and the end of the log as it was just before. */
export interface Tail {
  readonly head: StoredEvent | null;
  readonly end: LogEnd;
}

interface Follower {
  readonly afterSequence: number;
  readonly onEvent: (event: StoredEvent) => void;
  readonly onReset: () => void;
}

interface LiveEvent {
  readonly event: StoredEvent;
  /** The sequence of this subject's event before it, as the stream knew it; 0 when none was kept. */
  readonly previousSequence: number;
}

/** Live events that wait while a fill runs; more are dropped, and the fill reads on to them. */
const HOLD_LIMIT = 64;

/**
 * One subject on its way to all who follow it here: a single pipeline, so that each event passes once and in order, with
 * the followers attached where they joined. Live events go straight through; where one is missing the pipeline stops,
 * live events are held, and the log fills the hole.
 */
export class FollowedSubject {
  readonly subject: string;
  readonly #log: SubjectLog;
  readonly #logger: BusLogger;
  readonly #inTurn: <T>(job: () => Promise<T>) => Promise<T>;
  readonly #onHistoryLost: () => void;
  readonly #onEventsLost: () => void;
  readonly #recent: RecentEvents;
  readonly #followers = new Set<Follower>();
  /** Every event up to here has passed or is gone; `null` until the first answer of the leader. */
  #throughSequence: number | null = null;
  #position: LogPosition = { sequence: 0, messageId: null };
  #head: StoredEvent | null = null;
  /** The hole to fill ends here. */
  #targetSequence = 0;
  #filling = false;
  #held: LiveEvent[] = [];
  #stopped = false;

  constructor(options: {
    subject: string;
    log: SubjectLog;
    logger: BusLogger;
    /** Bounds how many subjects read the log at the same time. */
    inTurn: <T>(job: () => Promise<T>) => Promise<T>;
    /** The log no longer holds what has passed here. */
    onHistoryLost: () => void;
    /** Events of this subject were missed here, and are no longer kept. */
    onEventsLost: () => void;
    memory: RecentMemory;
  }) {
    this.subject = options.subject;
    this.#log = options.log;
    this.#logger = options.logger;
    this.#inTurn = options.inTurn;
    this.#onHistoryLost = options.onHistoryLost;
    this.#onEventsLost = options.onEventsLost;
    this.#recent = new RecentEvents(options.memory);
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  get followerCount(): number {
    return this.#followers.size;
  }

  get throughSequence(): number {
    return this.#throughSequence ?? 0;
  }

  /** Where a reader of this subject stands: the newest event, or the end of the log as of the last clean tail check. */
  get position(): LogPosition {
    return this.#position;
  }

  acceptLive(event: StoredEvent, previousSequence: number): void {
    if (this.#stopped) return;
    if (this.#throughSequence === null || this.#filling) {
      this.#hold(event, previousSequence);
    } else if (event.sequence > this.#throughSequence) {
      if (previousSequence > this.#throughSequence) {
        this.#hold(event, previousSequence);
        this.#fillTo(previousSequence);
      } else {
        this.#pass(event);
      }
    }
  }

  /** What has passed lately; complete up to `throughSequence`. */
  get recent(): RecentEvents {
    return this.#recent;
  }

  acceptTail({ head, end }: Tail): void {
    if (this.#stopped) return;
    const headSequence = head?.sequence ?? 0;
    if (head && this.#contradicts(head)) {
      this.#onHistoryLost();
      return;
    }
    if (this.#throughSequence === null) {
      this.#throughSequence = Math.max(headSequence, end.position.sequence);
      this.#head = head;
      this.#position = newer(head, end.position);
      this.#recent.restart(this.#position);
      this.#fillTo(this.#targetSequence);
      if (!this.#filling) this.#releaseHeld();
    } else if (headSequence > this.#throughSequence) {
      this.#fillTo(headSequence);
    } else if (!this.#filling && end.position.sequence > this.#throughSequence) {
      // The head was read after the end: nothing of this subject lies between.
      this.#throughSequence = end.position.sequence;
      this.#position = end.position;
    }
  }

  /** Attaches a follower behind the newest event known; it gets every later one. Only after a first `acceptTail`. */
  join(
    tail: Tail,
    onEvent: (event: StoredEvent) => void,
    onReset: () => void,
  ): { head: StoredEvent | null; position(): LogPosition; leave(): void } {
    // The pipeline may have moved on while the tail was read.
    const head = (this.#head?.sequence ?? 0) > (tail.head?.sequence ?? 0) ? this.#head : tail.head;
    const start = newer(head, tail.end.position);
    const follower: Follower = { afterSequence: head?.sequence ?? 0, onEvent, onReset };
    this.#followers.add(follower);
    return {
      head,
      position: () => (this.#position.sequence > start.sequence ? this.#position : start),
      leave: () => this.#followers.delete(follower),
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#held = [];
    this.#followers.clear();
    this.#recent.dispose();
  }

  /** Ends it because its log is no longer the one that was followed. */
  reset(): void {
    const followers = [...this.#followers];
    this.stop();
    for (const follower of followers) this.#guard(follower.onReset);
  }

  #hold(event: StoredEvent, previousSequence: number): void {
    if (this.#held.length < HOLD_LIMIT) this.#held.push({ event, previousSequence });
    else this.#targetSequence = Math.max(this.#targetSequence, event.sequence);
  }

  #releaseHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const { event, previousSequence } of held) this.acceptLive(event, previousSequence);
  }

  #pass(arrived: StoredEvent): void {
    // What is remembered must not hold on to the piece of memory that it came in.
    const event = { ...arrived, data: new Uint8Array(arrived.data) };
    this.#recent.add(event);
    this.#throughSequence = event.sequence;
    this.#position = event;
    this.#head = event;
    for (const follower of this.#followers) {
      if (event.sequence > follower.afterSequence) this.#guard(() => follower.onEvent(event));
    }
  }

  #fillTo(sequence: number): void {
    this.#targetSequence = Math.max(this.#targetSequence, sequence);
    if (this.#filling || this.#targetSequence <= this.throughSequence) return;
    this.#filling = true;
    void this.#fill();
  }

  async #fill(): Promise<void> {
    const backoff = createBackoff(50, 1_000);
    const startSequence = this.throughSequence;
    let failures = 0;
    while (!this.#stopped && this.#targetSequence > this.throughSequence) {
      try {
        await this.#inTurn(() => this.#readTo(this.#targetSequence, startSequence));
      } catch (error) {
        if (++failures === 1) {
          this.#logger.warn(
            { err: error, subject: this.subject },
            "cannot read the log, trying on",
          );
        }
        await backoff.wait();
      }
    }
    this.#filling = false;
    if (!this.#stopped) this.#releaseHeld();
  }

  async #readTo(untilSequence: number, startSequence: number): Promise<void> {
    if (this.#stopped) return;
    if (!(await this.#isSameHistory())) return this.#onHistoryLost();
    const pages = this.#log.pages({
      subject: this.subject,
      afterSequence: this.throughSequence,
      untilSequence,
    });
    for await (const page of pages) {
      for (const event of page) {
        if (this.#stopped) return;
        this.#pass(event);
      }
    }
    const { firstSequence } = await this.#log.bounds();
    if (this.#stopped) return;
    this.#throughSequence = Math.max(this.throughSequence, untilSequence);
    if (firstSequence > startSequence + 1) this.#onEventsLost();
  }

  /** Whether the log still holds, or has let expire, what passed here last; a restored one holds something else. */
  async #isSameHistory(): Promise<boolean> {
    const { sequence, messageId } = this.#position;
    if (messageId === null) return true;
    const event = await this.#log.eventAt(sequence);
    return event === null || event.messageId === messageId;
  }

  /** Whether a newest event that the leader names cannot be of the log that passed here. */
  #contradicts(head: StoredEvent): boolean {
    if (head.sequence > this.throughSequence) return false;
    const messageId = this.#recent.messageIdAt(head.sequence);
    return messageId !== null && messageId !== head.messageId;
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#logger.error({ err: error, subject: this.subject }, "a follower threw");
    }
  }
}

function newer(head: StoredEvent | null, position: LogPosition): LogPosition {
  return head && head.sequence > position.sequence ? head : position;
}

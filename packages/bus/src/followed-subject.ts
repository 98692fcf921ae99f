import { createBackoff } from "./backoff.ts";
import { BusUnavailableError } from "./bus-error.ts";
import type { BusLogger } from "./connection.ts";
import type { LogBounds } from "./log-bounds.ts";
import { LOG_START, type LogPosition, positionId, positionOf } from "./log-position.ts";
import type { LogWatch } from "./log-watch.ts";
import { HistoryLostError } from "./read-pages.ts";
import { RecentEvents, type RecentMemory } from "./recent-events.ts";
import { shareCalls } from "./shared-call.ts";
import type { StoredEvent, SubjectLog } from "./subject-log.ts";

export interface Follower {
  /** `epoch` is that of the log that the event is of. */
  readonly onEvent: (event: StoredEvent, epoch: string) => void;
  /** `resumeFrom`: see `SubjectFeed.follow`. */
  readonly onOver: (resumeFrom: string) => void;
}

interface LiveEvent {
  readonly event: StoredEvent;
  /** The sequence of this subject's event before it, as the stream knew it; 0 when none was kept. */
  readonly previousSequence: number;
  /** How many checks had begun when it came. */
  readonly checksBegun: number;
}

/** Live events that wait for a check; more are dropped, and the check reads on to them. */
const HOLD_LIMIT = 64;

/**
 * One subject on its way to all who follow it here: a single pipeline, so that each event passes once and in order, with
 * the followers attached where they joined.
 *
 * A live event passes at once if it is the next one: it names the event before it, and that one was the last to pass.
 * Any other raises a doubt: live events are held, a check asks the log's leader what is true, the log fills what is
 * missing, and only then does what was held follow. Nothing passes that lies behind a hole.
 */
export class FollowedSubject {
  readonly subject: string;
  readonly #log: SubjectLog;
  readonly #watch: LogWatch;
  readonly #logger: BusLogger;
  readonly #inCheckTurn: <T>(job: () => Promise<T>) => Promise<T>;
  readonly #inFillTurn: <T>(job: () => Promise<T>) => Promise<T>;
  readonly #onReplaced: () => void;
  readonly #onLost: () => void;
  readonly #recent: RecentEvents;
  readonly #followers = new Set<Follower>();
  #epoch = "";
  /** Every event up to here has passed; `null` before the first check. */
  #position: LogPosition | null = null;
  /** Up to here a check has found that nothing was gone before it passed. */
  #proven: LogPosition = LOG_START;
  /** The newest event of this subject that has passed, or was there before the first check. */
  #last: LogPosition = LOG_START;
  /** Of the newest live copy: those of one log come in ascending order. */
  #lastLive = 0;
  /** Of the newest event that the log no longer has, as of the last check. */
  #goneSequence = 0;
  #checksBegun = 0;
  /** Counted, so that a check knows whether another doubt has come since it began. */
  #doubts = 0;
  #isInDoubt = true;
  #isCheckWanted = false;
  #isResolving = false;
  #held: LiveEvent[] = [];
  #isHeldFull = false;
  #isStopped = false;

  /**
   * Asks the leader what is true, reads what is missing, and lets it pass. Callers share a check, never one that began
   * before they asked: when it is over, everything has passed that was stored by then.
   *
   * @throws {BusUnavailableError}
   */
  readonly check = shareCalls(() => this.#check());

  constructor(options: {
    subject: string;
    log: SubjectLog;
    watch: LogWatch;
    logger: BusLogger;
    memory: RecentMemory;
    /** Bound how many subjects ask the leader, and how many read from the log, at the same time. */
    inCheckTurn: <T>(job: () => Promise<T>) => Promise<T>;
    inFillTurn: <T>(job: () => Promise<T>) => Promise<T>;
    /** What has passed here is not what the log holds. */
    onReplaced: () => void;
    /** Events of this subject may have been missed here, and are no longer kept. */
    onLost: () => void;
  }) {
    this.subject = options.subject;
    this.#log = options.log;
    this.#watch = options.watch;
    this.#logger = options.logger;
    this.#inCheckTurn = options.inCheckTurn;
    this.#inFillTurn = options.inFillTurn;
    this.#onReplaced = options.onReplaced;
    this.#onLost = options.onLost;
    this.#recent = new RecentEvents(options.memory);
  }

  get epoch(): string {
    return this.#epoch;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** No check has succeeded yet. */
  get isNew(): boolean {
    return this.#position === null;
  }

  get followerCount(): number {
    return this.#followers.size;
  }

  /** Everything of this subject up to here has passed. */
  get position(): LogPosition {
    return this.#position ?? LOG_START;
  }

  /** The id of the newest position up to which nothing was missed. */
  get provenId(): string {
    return positionId(this.#epoch, this.subject, this.#proven);
  }

  /**
   * Every event behind this sequence is in memory, and in the log: memory says nothing of an id that the log would not say,
   * so that all replicas say the same.
   */
  get wholeAfter(): number {
    return Math.max(this.#recent.sinceSequence, this.#goneSequence);
  }

  /** What has passed lately; complete up to `position`. */
  get recent(): RecentEvents {
    return this.#recent;
  }

  /** From here on the follower gets every event behind `position`. Only after a first check. */
  add(follower: Follower): void {
    this.#followers.add(follower);
  }

  remove(follower: Follower): void {
    this.#followers.delete(follower);
  }

  acceptLive(event: StoredEvent, previousSequence: number): void {
    if (this.#isStopped) return;
    const isAscending = event.sequence > this.#lastLive;
    this.#lastLive = event.sequence;
    // Copies of another log, even while a check is under way: what that one has proven is of before.
    if (!isAscending) this.raiseDoubt();
    const live = { event, previousSequence, checksBegun: this.#checksBegun };
    if (this.#isInDoubt) this.#hold(live);
    else this.#acceptNext(live);
  }

  /** Live copies may have been lost, or be of another log: nothing passes until a check has told. */
  raiseDoubt(): void {
    this.#doubts++;
    this.#isInDoubt = true;
    if (!this.isNew) this.checkSoon();
  }

  /** Checks until one has succeeded, and no doubt is left. */
  checkSoon(): void {
    this.#isCheckWanted = true;
    if (this.#isResolving || this.#isStopped) return;
    this.#isResolving = true;
    this.#resolve().catch((error: unknown) => {
      this.#logger.error({ err: error, subject: this.subject }, "a check broke");
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#held = [];
    this.#followers.clear();
    this.#recent.dispose();
  }

  /** Ends it, and tells its followers where their clients have to resume from. */
  end(resumeFrom: string): void {
    const followers = [...this.#followers];
    this.stop();
    for (const follower of followers) this.#guard(() => follower.onOver(resumeFrom));
  }

  #acceptNext(live: LiveEvent): void {
    const { event, previousSequence } = live;
    if (event.sequence <= this.position.sequence) {
      // A copy that comes after the event was read from the log.
      if (this.#recent.markAt(event.sequence) === event.messageId) return;
    } else if (previousSequence === this.#last.sequence && previousSequence > 0) {
      this.#pass(event);
      return;
    }
    this.raiseDoubt();
    this.#hold(live);
  }

  #hold(live: LiveEvent): void {
    if (this.#held.length < HOLD_LIMIT) this.#held.push(live);
    else this.#isHeldFull = true;
  }

  #pass(arrived: StoredEvent): void {
    // What is remembered must not hold on to the piece of memory that it came in.
    const event = { ...arrived, data: new Uint8Array(arrived.data) };
    this.#recent.add(event);
    this.#last = positionOf(event);
    this.#position = this.#last;
    for (const { onEvent } of this.#followers) this.#guard(() => onEvent(event, this.#epoch));
  }

  async #resolve(): Promise<void> {
    const backoff = createBackoff(50, 1_000);
    try {
      for (let failures = 0; this.#isCheckWanted && !this.#isStopped; ) {
        try {
          this.#isCheckWanted = false;
          await this.check();
        } catch (error) {
          if (this.#isStopped) return;
          this.#isCheckWanted = true;
          if (++failures === 1) {
            const { subject } = this;
            this.#logger.warn({ err: error, subject }, "cannot read the log, trying on");
          }
          await backoff.wait();
        }
      }
    } finally {
      this.#isResolving = false;
    }
  }

  async #check(): Promise<void> {
    const doubts = this.#doubts;
    const { position } = this;
    this.#checksBegun++;
    try {
      // Each answer is asked for after the one before it: what the log held then is proven to be what it holds now.
      const end = await this.#watch.read();
      this.#assertRunning();
      this.#goneSequence = Math.max(end.firstSequence - 1, end.deleted.at(-1) ?? 0);
      if (this.#position === null) await this.#begin(end.epoch, end.position);
      else if (end.lastSequence < position.sequence) this.#onReplaced();
      else if (end.lastSequence > this.#proven.sequence) await this.#catchUp(end.position);
      this.#assertRunning();
      if (doubts === this.#doubts) this.#release();
    } finally {
      if (this.#isInDoubt && !this.isNew) this.checkSoon();
    }
  }

  async #begin(epoch: string, end: LogPosition): Promise<void> {
    const head = await this.#readHead();
    this.#assertRunning();
    this.#epoch = epoch;
    this.#position = head && head.sequence > end.sequence ? positionOf(head) : end;
    this.#proven = this.#position;
    if (head) this.#last = positionOf(head);
    this.#recent.restart(this.#position);
  }

  async #catchUp(end: LogPosition): Promise<void> {
    const head = await this.#readHead();
    this.#assertRunning();
    const isBehind = head !== null && head.sequence > this.position.sequence;
    if (isBehind) this.#isInDoubt = true;
    let proven = await this.#proveLast(head);
    if (isBehind) {
      await this.#fillTo(head.sequence);
      proven = this.#last;
    }
    const bounds = await this.#watch.bounds();
    this.#assertRunning();
    if (bounds.epoch !== this.#epoch) throw new BusUnavailableError("the log was made anew");
    if (this.#isLost(bounds)) {
      this.#onLost();
      this.#assertRunning();
    }
    // What passed meanwhile and lies before the end has to be proven too, before it counts as such.
    while (this.#last !== proven && this.#last.sequence <= end.sequence) {
      proven = await this.#proveLast(null);
    }
    // The head was read after the end, and nothing is gone: nothing of this subject lies between.
    if (end.sequence > this.position.sequence) this.#position = end;
    if (end.sequence > this.#proven.sequence) this.#proven = end;
  }

  /**
   * Whether something may have gone before it passed here. Live events that name each other leave nothing out, but for what
   * was deleted one by one: the server then names the one before. It also finds no newest event of a subject any more once
   * that one has been deleted (2.9), so deletions behind the end count.
   */
  #isLost({ firstSequence, deleted }: LogBounds): boolean {
    if (firstSequence > this.position.sequence + 1) return true;
    return deleted.some(
      (sequence) => sequence > this.#proven.sequence && this.#recent.markAt(sequence) === null,
    );
  }

  /** What passed since the last check came live, and only the log itself proves that it came from this one. */
  async #proveLast(head: StoredEvent | null): Promise<LogPosition> {
    const last = this.#last;
    if (last.sequence <= this.#proven.sequence) return last;
    const { sequence } = last;
    const event = head?.sequence === sequence ? head : await this.#log.eventAt(sequence);
    this.#assertRunning();
    // Where it is gone, the bounds will tell.
    if (event && event.messageId !== last.mark) this.#onReplaced();
    this.#assertRunning();
    return last;
  }

  async #readHead(): Promise<StoredEvent | null> {
    return await this.#inCheckTurn(() => this.#log.head(this.subject));
  }

  async #fillTo(untilSequence: number): Promise<void> {
    const pages = this.#log.pages({
      subject: this.subject,
      epoch: this.#epoch,
      after: this.position,
      untilSequence,
      isWhole: true,
      inTurn: this.#inFillTurn,
    });
    try {
      for await (const page of pages) {
        this.#assertRunning();
        for (const event of page) this.#pass(event);
      }
    } catch (error) {
      if (!(error instanceof HistoryLostError)) throw error;
      this.#onLost();
    }
    this.#assertRunning();
  }

  /** No doubt was raised since the check began that has succeeded. */
  #release(): void {
    this.#isInDoubt = false;
    const held = this.#held;
    const wasFull = this.#isHeldFull;
    this.#held = [];
    this.#isHeldFull = false;
    for (const live of held) {
      if (this.#isStopped) return;
      if (this.#isInDoubt) this.#hold(live);
      else if (live.checksBegun === this.#checksBegun) this.#acceptNext(live);
      // It came before the check began, so that one has read the log up to behind it; or the log does not have it.
      else if (live.event.sequence > this.position.sequence) this.#onReplaced();
    }
    if (wasFull) this.raiseDoubt();
  }

  #assertRunning(): void {
    if (this.#isStopped) {
      throw new BusUnavailableError(`${this.subject} is no longer followed: the log was lost`);
    }
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#logger.error({ err: error, subject: this.subject }, "a follower threw");
    }
  }
}

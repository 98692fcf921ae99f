import { LIVE_PREFIX } from "@localstreet/contracts/subjects";
import { EVENT_KIND_HEADER, vendorEventKindOf } from "@localstreet/contracts/vendor-events";
import { type Bus, type BusLogger, type BusMessage, BusUnavailableError } from "./connection.ts";
import { FollowedSubject, type Tail } from "./followed-subject.ts";
import { createLogEnds } from "./log-ends.ts";
import { type RecentLimits, RecentMemory } from "./recent-events.ts";
import { type RecentResume, resumeFromRecent } from "./recent-resume.ts";
import { createRetryingTask } from "./retrying-task.ts";
import { shareCalls } from "./shared-call.ts";
import type { LogEnd, StoredEvent, SubjectLog } from "./subject-log.ts";
import { createTurns } from "./turns.ts";

export interface Following {
  /** The subject's newest event when the follower joined, from the leader. What came before is in the log. */
  readonly head: StoredEvent | null;
  /**
   * The id to resume from for one who has had everything up to `head` and every event since: the newest event's, or a
   * later one, when tail checks found nothing of this subject up to the end of the log.
   */
  positionId(): string;
  /** What a client that comes with this id is told, from memory; `null` when the log has to be asked: `decideResume`. */
  resume(lastEventId: string): RecentResume | null;
  /** The newest events up to `head`, from memory; `null` when it does not hold so many. */
  last(count: number): readonly StoredEvent[] | null;
  stop(): void;
}

export interface FeedStats {
  /** With those that were followed a while ago. */
  readonly subjects: number;
  readonly followers: number;
  /** Tail checks since the start. */
  readonly tailChecks: number;
  /** What the events that are remembered take, about. */
  readonly recentBytes: number;
}

/** Live events of a log's subjects, with what was lost on the way read from the log. */
export interface SubjectFeed {
  /**
   * Follows a stored subject. `onEvent` gets every event after `head`, once, in order; it must not block, and what it
   * throws is logged. `onReset` says that the log was replaced by another (created anew, restored): the following is over,
   * and the client's id has to be judged again.
   *
   * @throws {BusUnavailableError} when the leader cannot be asked.
   */
  follow(
    subject: string,
    onEvent: (event: StoredEvent) => void,
    onReset?: () => void,
  ): Promise<Following>;
  /** Checks a subject's tail now, if it is followed: a publisher that repeats itself has reason to. */
  checkSoon(subject: string): void;
  stats(): FeedStats;
  close(): void;
}

export interface SubjectFeedOptions {
  readonly bus: Bus;
  readonly log: SubjectLog;
  readonly logger: BusLogger;
  /** Every followed subject's tail is compared with the leader's at least this often. */
  readonly tailCheckMs?: number;
  /** What is remembered of each subject, and for how long after its last follower has gone. */
  readonly recent?: Partial<RecentLimits> & { readonly keepMs?: number };
}

/** Tail checks at the same time. */
const CHECKS_AT_ONCE = 32;
/** Subjects that read missed events from the log at the same time. */
const FILLS_AT_ONCE = 64;

interface Entry {
  readonly followed: FollowedSubject;
  readonly unsubscribe: () => void;
  /** Callers of `follow` that have not joined yet. */
  joining: number;
  /** What the last check found: nothing to check until the log's end moves. */
  tail: Tail | null;
  /** The checks of all who join at the same time are one. */
  readonly join: () => Promise<Tail>;
  /** When its last follower went. */
  idleSinceMs: number;
}

/**
 * Opens a feed on a log's live copy. One core subscription for each followed subject, none when nobody follows. The live
 * copy is at most once, so holes are found by the sequence of the event before, and lost tails by asking the leader:
 * when a follower joins, after every reconnect, and every `tailCheckMs` while the log moves (PROTOCOL.md S11).
 */
export function openSubjectFeed(options: SubjectFeedOptions): SubjectFeed {
  const { bus, log, logger } = options;
  const keepMs = options.recent?.keepMs ?? 60_000;
  const entries = new Map<string, Entry>();
  /** Those that nobody follows any more, in the order in which they were left. */
  const idle = new Set<Entry>();
  const inTurn = createTurns(FILLS_AT_ONCE);
  const checkInTurn = createTurns(CHECKS_AT_ONCE);
  const memory = new RecentMemory(
    { events: 512, bytes: 512 * 1024, totalBytes: 64 * 1024 * 1024, ...options.recent },
    () => {
      for (const entry of idle) {
        if (!memory.isOver) break;
        release(entry);
      }
    },
  );
  const ends = createLogEnds(log, resetAll);
  let tailChecks = 0;

  function onLive(followed: FollowedSubject, message: BusMessage): void {
    const sequence = Number(message.header("Nats-Sequence"));
    if (message.header("Nats-Stream") !== log.stream || !Number.isSafeInteger(sequence)) return;
    ends.note(sequence);
    const messageId = message.header("Nats-Msg-Id") ?? "";
    const event: StoredEvent = {
      subject: followed.subject,
      sequence,
      messageId,
      kind: vendorEventKindOf(message.header(EVENT_KIND_HEADER), messageId),
      data: message.data,
    };
    followed.acceptLive(event, Number(message.header("Nats-Last-Sequence") ?? 0));
  }

  function entryOf(subject: string): Entry {
    const known = entries.get(subject);
    if (known) return known;
    const followed = new FollowedSubject({
      subject,
      log,
      logger,
      inTurn,
      memory,
      onHistoryLost: resetAll,
      onEventsLost() {
        logger.warn({ subject }, "missed events are no longer kept, followers start over");
        entries.delete(subject);
        end(entry);
      },
    });
    const { unsubscribe } = bus.subscribe(`${LIVE_PREFIX}.${subject}`, (message) =>
      onLive(followed, message),
    );
    const entry: Entry = {
      followed,
      unsubscribe,
      joining: 0,
      tail: null,
      // The server takes the subscription before the question that follows it, so nothing falls between the two.
      join: shareCalls(async () => await checkTail(entry, await ends.read())),
      idleSinceMs: 0,
    };
    entries.set(subject, entry);
    return entry;
  }

  function releaseIfIdle(entry: Entry): void {
    const { followed } = entry;
    if (followed.isStopped || entry.joining > 0 || followed.followerCount > 0) return;
    // One that could not be joined has nothing to remember.
    if (keepMs === 0 || entry.tail === null) {
      release(entry);
      return;
    }
    entry.idleSinceMs = performance.now();
    idle.add(entry);
  }

  function release(entry: Entry): void {
    const { followed } = entry;
    idle.delete(entry);
    entries.delete(followed.subject);
    entry.unsubscribe();
    followed.stop();
  }

  /** Tells its followers that it is over. */
  function end(entry: Entry): void {
    idle.delete(entry);
    entry.unsubscribe();
    entry.followed.reset();
  }

  function resetAll(): void {
    logger.warn(
      { stream: log.stream, epoch: log.epoch },
      "the log was replaced, followers start over",
    );
    const all = [...entries.values()];
    entries.clear();
    for (const entry of all) end(entry);
  }

  async function checkTail(entry: Entry, logEnd: LogEnd): Promise<Tail> {
    const { followed, tail: before } = entry;
    if (before?.end.position.sequence === logEnd.position.sequence) return before;
    tailChecks++;
    const head = await checkInTurn(() => log.head(followed.subject));
    const tail: Tail = { head, end: logEnd };
    followed.acceptTail(tail);
    if (logEnd.position.sequence > (entry.tail?.end.position.sequence ?? -1)) entry.tail = tail;
    return tail;
  }

  async function checkAll(): Promise<void> {
    if (entries.size === 0) return;
    const logEnd = await ends.read();
    const followed = [...entries.values()].filter((entry) => !idle.has(entry));
    await Promise.all(followed.map((entry) => checkTail(entry, logEnd)));
  }

  const rounds = createRetryingTask({ bus, logger, what: "tail check", run: checkAll });
  const timer = setInterval(() => rounds.request(), options.tailCheckMs ?? 10_000);
  timer.unref();
  const sweeper = setInterval(
    () => {
      const beforeMs = performance.now() - keepMs;
      for (const entry of idle) {
        if (entry.idleSinceMs > beforeMs) break;
        release(entry);
      }
    },
    Math.min(5_000, Math.max(50, keepMs / 4)),
  );
  sweeper.unref();
  const stopListening = bus.onReconnect(() => rounds.request());

  return {
    async follow(subject, onEvent, onReset = () => {}) {
      const entry = entryOf(subject);
      entry.joining++;
      idle.delete(entry);
      try {
        const tail = await entry.join();
        const { followed } = entry;
        if (followed.isStopped)
          throw new BusUnavailableError(`follow ${subject}: the log was replaced`);
        const joined = followed.join(tail, onEvent, onReset);
        const headSequence = joined.head?.sequence ?? 0;
        return {
          head: joined.head,
          positionId: () => log.positionId(subject, joined.position()),
          resume: (lastEventId) =>
            resumeFromRecent({ log, ends, followed, headSequence, lastEventId }),
          last: (count) =>
            headSequence > followed.throughSequence
              ? null
              : followed.recent.last(count, headSequence),
          stop() {
            joined.leave();
            releaseIfIdle(entry);
          },
        };
      } finally {
        entry.joining--;
        releaseIfIdle(entry);
      }
    },
    checkSoon(subject) {
      const entry = entries.get(subject);
      if (!entry) return;
      entry.join().catch(() => rounds.request());
    },
    stats() {
      let followers = 0;
      for (const { followed } of entries.values()) followers += followed.followerCount;
      return { subjects: entries.size, followers, tailChecks, recentBytes: memory.usedBytes };
    },
    close() {
      rounds.stop();
      clearInterval(timer);
      clearInterval(sweeper);
      stopListening();
      for (const { followed, unsubscribe } of entries.values()) {
        unsubscribe();
        followed.stop();
      }
      entries.clear();
      idle.clear();
    },
  };
}

import { REPLACED_ID } from "@localstreet/contracts/event-id";
import { LIVE_PREFIX } from "@localstreet/contracts/subjects";
import { EVENT_KIND_HEADER, vendorEventKindOf } from "@localstreet/contracts/vendor-events";
import { type Bus, type BusLogger, type BusMessage, BusUnavailableError } from "./connection.ts";
import { FollowedSubject, type Follower } from "./followed-subject.ts";
import { judge, sequenceOf } from "./judge.ts";
import { type LogPosition, positionId } from "./log-position.ts";
import { watchLog } from "./log-watch.ts";
import { type RecentLimits, RecentMemory } from "./recent-events.ts";
import type { StoredEvent, SubjectLog } from "./subject-log.ts";
import { createTurns } from "./turns.ts";

export interface Following {
  /** Of the log that is followed. */
  readonly epoch: string;
  /** Live events begin behind this position. What came before is in the log. */
  readonly start: LogPosition;
  /**
   * The id to resume from for one who has had everything up to `start` and every event since: the newest event's, or a
   * later one, when tail checks found nothing of this subject up to the end of the log.
   */
  positionId(): string;
  /** The events that a client with this id has missed, when memory proves it `complete`; else `judgeByLog` has to tell. */
  missed(lastEventId: string): readonly StoredEvent[] | null;
  /** The newest events up to `start`, from memory; `null` when it does not hold so many. */
  last(count: number): readonly StoredEvent[] | null;
  stop(): void;
}

export interface FeedStats {
  /** With those that were followed a while ago. */
  readonly subjects: number;
  readonly followers: number;
  /** Checks of a subject since the start. */
  readonly tailChecks: number;
  /** What the events that are remembered take, about. */
  readonly recentBytes: number;
}

/** Live events of a log's subjects, with what was lost on the way read from the log. */
export interface SubjectFeed {
  /**
   * Follows a stored subject. `onEvent` gets every event behind `start`, once, in order; it must not block, and what it
   * throws is logged.
   *
   * `onOver` says that the following has ended, for the log is another than before, or events were missed that are gone.
   * The client has to come back with the id `resumeFrom`, not with a later one that it was given: what it would be told
   * of that one might not be true.
   *
   * @throws {BusUnavailableError} when the leader cannot be asked.
   */
  follow(
    subject: string,
    onEvent: (event: StoredEvent, epoch: string) => void,
    onOver?: (resumeFrom: string) => void,
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
/** A log that is lost while it is joined is joined again, for it is another one now. */
const JOINS = 3;

interface Entry {
  readonly followed: FollowedSubject;
  readonly unsubscribe: () => void;
  /** Callers of `follow` that have not joined yet. */
  joining: number;
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
  const inCheckTurn = createTurns(CHECKS_AT_ONCE);
  const inFillTurn = createTurns(FILLS_AT_ONCE);
  const memory = new RecentMemory(
    { events: 512, bytes: 512 * 1024, totalBytes: 64 * 1024 * 1024, ...options.recent },
    () => {
      for (const entry of idle) {
        if (!memory.isOver) break;
        release(entry);
      }
    },
  );
  const watch = watchLog(log, () => endReplaced([...entries.values()]));
  let tailChecks = 0;

  function onLive(followed: FollowedSubject, message: BusMessage): void {
    const sequence = Number(message.header("Nats-Sequence"));
    if (message.header("Nats-Stream") !== log.stream || !Number.isSafeInteger(sequence)) return;
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
      ...{ subject, log, watch, logger, memory, inFillTurn },
      inCheckTurn(job) {
        tailChecks++;
        return inCheckTurn(job);
      },
      onReplaced: () => endReplaced([entry]),
      onLost() {
        logger.warn({ subject }, "missed events are no longer kept, followers start over");
        end(entry, followed.provenId);
      },
    });
    const { unsubscribe } = bus.subscribe(`${LIVE_PREFIX}.${subject}`, (message) =>
      onLive(followed, message),
    );
    const entry: Entry = { followed, unsubscribe, joining: 0, idleSinceMs: 0 };
    entries.set(subject, entry);
    return entry;
  }

  function releaseIfIdle(entry: Entry): void {
    const { followed } = entry;
    if (followed.isStopped || entry.joining > 0 || followed.followerCount > 0) return;
    // One that could not be joined has nothing to remember.
    if (keepMs === 0 || followed.isNew) {
      release(entry);
      return;
    }
    entry.idleSinceMs = performance.now();
    idle.add(entry);
  }

  function release(entry: Entry): void {
    forget(entry);
    entry.followed.stop();
  }

  /** Tells its followers that it is over. */
  function end(entry: Entry, resumeFrom: string): void {
    forget(entry);
    entry.followed.end(resumeFrom);
  }

  function forget(entry: Entry): void {
    idle.delete(entry);
    entries.delete(entry.followed.subject);
    entry.unsubscribe();
  }

  function endReplaced(those: readonly Entry[]): void {
    logger.warn({ stream: log.stream }, "the log was replaced, followers start over");
    log.forget();
    for (const entry of those) end(entry, REPLACED_ID);
  }

  function forAll(run: (followed: FollowedSubject) => void): void {
    for (const { followed } of entries.values()) run(followed);
  }

  const timer = setInterval(() => {
    if (!bus.isConnected()) return;
    for (const entry of entries.values()) {
      if (!idle.has(entry) && !entry.followed.isNew) entry.followed.checkSoon();
    }
  }, options.tailCheckMs ?? 10_000);
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
  // Nobody is kept.
  if (keepMs === 0) clearInterval(sweeper);
  // Nothing passes until what was missed meanwhile is known.
  const stopListening = bus.onReconnect(() => forAll((followed) => followed.raiseDoubt()));

  function following(followed: FollowedSubject, follower: Follower): Omit<Following, "stop"> {
    const { subject, epoch, recent, position: start } = followed;
    followed.add(follower);
    return {
      epoch,
      start,
      positionId: () => positionId(epoch, subject, followed.position),
      missed(lastEventId) {
        const verdict = judge(subject, lastEventId, {
          epoch,
          lastSequence: start.sequence,
          wholeAfter: followed.wholeAfter,
          markAt: (sequence) => recent.markAt(sequence) ?? watch.markAt(sequence),
        });
        if (verdict !== "complete" || followed.isStopped) return null;
        return recent.between(sequenceOf(lastEventId), start.sequence);
      },
      last: (count) => recent.last(count, start.sequence),
    };
  }

  /** `null` when the log was lost meanwhile. */
  async function join(subject: string, follower: Follower): Promise<Following | null> {
    const entry = entryOf(subject);
    const { followed } = entry;
    entry.joining++;
    idle.delete(entry);
    try {
      // The server takes the subscription before the questions that follow it, so nothing falls between the two.
      await followed.check();
      if (followed.isStopped) return null;
      return {
        ...following(followed, follower),
        stop() {
          followed.remove(follower);
          releaseIfIdle(entry);
        },
      };
    } catch (error) {
      if (followed.isStopped) return null;
      throw error;
    } finally {
      entry.joining--;
      releaseIfIdle(entry);
    }
  }

  return {
    async follow(subject, onEvent, onOver = () => {}) {
      for (let attempt = 1; attempt <= JOINS; attempt++) {
        const joined = await join(subject, { onEvent, onOver });
        if (joined) return joined;
      }
      throw new BusUnavailableError(`follow ${subject}: the log is being replaced`);
    },
    checkSoon(subject) {
      const followed = entries.get(subject)?.followed;
      if (followed && !followed.isNew) followed.checkSoon();
    },
    stats() {
      let followers = 0;
      forAll(({ followerCount }) => {
        followers += followerCount;
      });
      return { subjects: entries.size, followers, tailChecks, recentBytes: memory.usedBytes };
    },
    close() {
      clearInterval(timer);
      clearInterval(sweeper);
      stopListening();
      for (const entry of [...entries.values()]) release(entry);
    },
  };
}

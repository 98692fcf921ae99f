import { LIVE_PREFIX } from "@localstreet/contracts/subjects";
import { EVENT_KIND_HEADER, vendorEventKindOf } from "@localstreet/contracts/vendor-events";
import { type Bus, type BusLogger, type BusMessage, BusUnavailableError } from "./connection.ts";
import { FollowedSubject, type Tail } from "./followed-subject.ts";
import { createRetryingTask } from "./retrying-task.ts";
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
  stop(): void;
}

export interface FeedStats {
  readonly subjects: number;
  readonly followers: number;
  /** Tail checks since the start. */
  readonly tailChecks: number;
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
}

/** Leader reads at the same time in a round of tail checks. */
const CHECKS_AT_ONCE = 16;
/** Subjects that read missed events from the log at the same time. */
const FILLS_AT_ONCE = 64;

interface Entry {
  readonly followed: FollowedSubject;
  readonly unsubscribe: () => void;
  /** Callers of `follow` that have not joined yet. */
  joining: number;
  /** The log's end at the last clean check: nothing to check until it moves. */
  checkedSequence: number;
}

/**
 * Opens a feed on a log's live copy. One core subscription for each followed subject, none when nobody follows. The live
 * copy is at most once, so holes are found by the sequence of the event before, and lost tails by asking the leader:
 * when a follower joins, after every reconnect, and every `tailCheckMs` while the log moves (PROTOCOL.md S11).
 */
export function openSubjectFeed(options: SubjectFeedOptions): SubjectFeed {
  const { bus, log, logger } = options;
  const entries = new Map<string, Entry>();
  const inTurn = createTurns(FILLS_AT_ONCE);
  let epoch = log.epoch;
  let highestSequence = 0;
  let tailChecks = 0;

  function onLive(followed: FollowedSubject, message: BusMessage): void {
    const sequence = Number(message.header("Nats-Sequence"));
    if (message.header("Nats-Stream") !== log.stream || !Number.isSafeInteger(sequence)) return;
    highestSequence = Math.max(highestSequence, sequence);
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
      onHistoryLost: resetAll,
    });
    const { unsubscribe } = bus.subscribe(`${LIVE_PREFIX}.${subject}`, (message) =>
      onLive(followed, message),
    );
    const entry: Entry = { followed, unsubscribe, joining: 0, checkedSequence: -1 };
    entries.set(subject, entry);
    return entry;
  }

  function releaseIfIdle(entry: Entry): void {
    const { followed } = entry;
    if (followed.isStopped || entry.joining > 0 || followed.followerCount > 0) return;
    entries.delete(followed.subject);
    entry.unsubscribe();
    followed.stop();
  }

  function resetAll(): void {
    logger.warn(
      { stream: log.stream, epoch: log.epoch },
      "the log was replaced, followers start over",
    );
    const all = [...entries.values()];
    entries.clear();
    for (const { followed, unsubscribe } of all) {
      unsubscribe();
      followed.reset();
    }
    highestSequence = 0;
  }

  /** The log's end, and a check that it is still the log that was followed. */
  async function readEnd(): Promise<LogEnd> {
    const atLeast = highestSequence;
    const end = await log.end();
    if (end.epoch !== epoch || end.position.sequence < atLeast) {
      epoch = end.epoch;
      resetAll();
    }
    highestSequence = Math.max(highestSequence, end.position.sequence);
    return end;
  }
  const readEndShared = shareCalls(readEnd);

  async function checkTail(entry: Entry, end: LogEnd): Promise<Tail> {
    tailChecks++;
    const tail: Tail = { head: await log.head(entry.followed.subject), end };
    entry.followed.acceptTail(tail);
    entry.checkedSequence = Math.max(entry.checkedSequence, end.position.sequence);
    return tail;
  }

  async function checkAll(): Promise<void> {
    if (entries.size === 0) return;
    const end = await readEndShared();
    const due = [...entries.values()].filter(
      (entry) => entry.checkedSequence < end.position.sequence && !entry.followed.isStopped,
    );
    const worker = async () => {
      for (let entry = due.pop(); entry; entry = due.pop()) await checkTail(entry, end);
    };
    await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, worker));
  }

  const rounds = createRetryingTask({ bus, logger, what: "tail check", run: checkAll });
  const timer = setInterval(() => rounds.request(), options.tailCheckMs ?? 10_000);
  timer.unref();
  const stopListening = bus.onReconnect(() => rounds.request());

  return {
    async follow(subject, onEvent, onReset = () => {}) {
      const entry = entryOf(subject);
      entry.joining++;
      try {
        await bus.flush();
        const tail = await checkTail(entry, await readEndShared());
        const { followed } = entry;
        if (followed.isStopped)
          throw new BusUnavailableError(`follow ${subject}: the log was replaced`);
        const joined = followed.join(tail, onEvent, onReset);
        return {
          head: joined.head,
          positionId: () => log.positionId(subject, joined.position()),
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
      readEndShared()
        .then((end) => checkTail(entry, end))
        .catch(() => rounds.request());
    },
    stats() {
      let followers = 0;
      for (const { followed } of entries.values()) followers += followed.followerCount;
      return { subjects: entries.size, followers, tailChecks };
    },
    close() {
      rounds.stop();
      clearInterval(timer);
      stopListening();
      for (const { followed, unsubscribe } of entries.values()) {
        unsubscribe();
        followed.stop();
      }
      entries.clear();
    },
  };
}

/** Callers share one call, but never one that had begun before they asked. */
function shareCalls<T>(call: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    if (!next) {
      const after = running.then(
        () => {},
        () => {},
      );
      next = after.then(() => {
        next = null;
        return call();
      });
      running = next;
    }
    return next;
  };
}

import { BusUnavailableError } from "@localstreet/bus/connection";
import { judgeByLog } from "@localstreet/bus/judge";
import type { Following, SubjectFeed } from "@localstreet/bus/subject-feed";
import type { StoredEvent, SubjectLog } from "@localstreet/bus/subject-log";
import { createTurns } from "@localstreet/bus/turns";
import { REPLACED_ID } from "@localstreet/contracts/event-id";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import type { ResumeEvent, ResumeStatus } from "@localstreet/contracts/vendor-events";
import type { SseConnection } from "@localstreet/fanout/sse-connection";
import type { VendorFrames } from "./vendor-frames.ts";

/** What a client asks for. */
export interface HistoryQuery {
  readonly lastEventId: string | undefined;
  /** For one who comes without an id: the newest events, as many as this. */
  readonly last: number;
}

/** What a client missed, up to where its live events begin. */
export interface History {
  readonly status: ResumeStatus;
  /** The client's id, when it is known here. */
  readonly from: string | null;
  /** All of it is in memory: reading ahead costs nothing. */
  readonly isInMemory: boolean;
  /** In order; each page is read when it is asked for. */
  readonly pages: AsyncIterator<readonly StoredEvent[]>;
}

export interface FollowOptions extends HistoryQuery {
  readonly subject: string;
  /** The client is behind the newest event from now on, and what it is told of may be told to it. */
  readonly onFollowing: (following: Following) => void;
  readonly onLive: (event: StoredEvent) => void;
  /** The following has ended: the client has to come back, with the id that is given where one is. */
  readonly onOver: (resumeFrom: string | undefined) => void;
}

export interface Followers {
  /**
   * Lets a connection, which is held, follow a subject. Resolves when its history is out.
   *
   * @throws {BusUnavailableError}
   */
  follow(connection: SseConnection, options: FollowOptions): Promise<ResumeStatus>;
  /**
   * The verdict on a client's id (PROTOCOL.md S6, S8), and the events that follow it: from memory when they passed here
   * lately, else from the log.
   *
   * @throws {BusUnavailableError} here and from the pages.
   */
  openHistory(subject: string, following: Following, query: HistoryQuery): Promise<History>;
}

/** Frames that are read ahead, so that `resume` can tell how many follow. */
const AHEAD_FRAMES = 256;
/**
 * History goes to the socket in pieces of about this size: far less than an outbox may hold, or live events that come
 * meanwhile would make it too much.
 */
const PIECE_BYTES = 32 * 1024;

/**
 * A client's way through its events, in three phases:
 *
 * 1. Cutover comes first: the client joins the feed at a position, `start`. Its connection is held, so the live events
 *    behind `start` queue in its outbox.
 * 2. History: the id that it came with is judged, by memory or else by the log, and `resume` tells the verdict. What was
 *    stored between the id and `start` is written past the queue, at the pace of the socket.
 * 3. Live: the connection is released, the queue follows, and from then on each event as it comes.
 *
 * So an event is either history or live, by its sequence alone. A connection that breaks in phase 2 comes back with the id
 * of the last event that it got; `resume` carries the id that it came with until then.
 *
 * Readers of the log take turns, `atOnce` at a time, and as many write a piece in one turn of the event loop, so that the
 * live events of others are not held up however many come back. What memory holds takes no turn, nor does a wait.
 */
export function createFollowers(parts: {
  log: SubjectLog;
  feed: SubjectFeed;
  frames: VendorFrames;
  /** Readers of the log, and writers of history, at the same time. */
  atOnce: number;
  /** For how long reading is tried on while NATS is away, in milliseconds. */
  patienceMs: number;
}): Followers {
  const { log, feed, frames, patienceMs } = parts;
  const inReadTurn = createTurns(parts.atOnce);
  const inSendTurn = createTurns(parts.atOnce);

  async function openHistory(
    subject: string,
    following: Following,
    { lastEventId, last }: HistoryQuery,
  ): Promise<History> {
    const { start, epoch } = following;
    if (!lastEventId) {
      const events =
        following.last(last) ?? (await inReadTurn(() => log.last(subject, last, start.sequence)));
      return { status: "fresh", from: null, isInMemory: true, pages: once(events) };
    }
    const missed = following.missed(lastEventId);
    if (missed) {
      return { status: "complete", from: lastEventId, isInMemory: true, pages: once(missed) };
    }
    const { status, position, epoch: judgedEpoch } = await judgeByLog(log, subject, lastEventId);
    if (judgedEpoch !== epoch) throw new BusUnavailableError("the log has just been replaced");
    if (status === "reset") return { status, from: null, isInMemory: true, pages: once([]) };
    const pages = log.pages({
      ...{ subject, epoch, after: position, untilSequence: start.sequence },
      ...{ isWhole: status === "complete", patienceMs, inTurn: inReadTurn },
    });
    return { status, from: lastEventId, isInMemory: false, pages };
  }

  async function nextPage(history: History, epoch: string): Promise<Buffer[] | null> {
    const { done, value } = await history.pages.next();
    if (done) return null;
    return value.map((event) => frames.frameOf(event, epoch)).filter((frame) => frame !== null);
  }

  /** @returns `false` when the connection is closed. */
  async function send(connection: SseConnection, piece: readonly Buffer[]): Promise<boolean> {
    const { taken } = await inSendTurn(async () => {
      // Not awaited in here: a socket that does not drain must not hold the turn.
      const taken = connection.writeHistory(Buffer.concat(piece));
      await nextTurn();
      return { taken };
    });
    return await taken;
  }

  async function sendHistory(
    connection: SseConnection,
    history: History,
    { epoch, to }: { epoch: string; to: string },
  ): Promise<void> {
    const { status, from } = history;
    const ahead: Buffer[] = [];
    let isWhole = false;
    while (!isWhole && (history.isInMemory || ahead.length < AHEAD_FRAMES)) {
      const page = await nextPage(history, epoch);
      if (page) ahead.push(...page);
      else isWhole = true;
    }
    const resume: ResumeEvent = { status, from, to, replayed: isWhole ? ahead.length : null };
    // A connection that breaks during the replay comes back as it was, not behind what it has not got.
    const id = ahead.length === 0 ? to : from;
    const told = encodeSseEvent({
      ...(id === null ? {} : { id }),
      event: "resume",
      data: JSON.stringify(resume),
    });
    let piece: Buffer[] = [Buffer.from(told)];
    let pieceBytes = 0;
    for (let page: Buffer[] | null = ahead; page; page = await nextPage(history, epoch)) {
      for (const frame of page) {
        piece.push(frame);
        pieceBytes += frame.length;
        if (pieceBytes < PIECE_BYTES) continue;
        if (!(await send(connection, piece))) return;
        piece = [];
        pieceBytes = 0;
      }
    }
    if (piece.length > 0) await send(connection, piece);
  }

  return {
    openHistory,
    async follow(connection, options) {
      const { subject, onFollowing, onLive, onOver } = options;
      let isReleased = false;
      const following = await feed.follow(
        subject,
        (event, epoch) => {
          const frame = frames.frameOf(event, epoch);
          if (!frame) return;
          connection.send(frame);
          onLive(event);
        },
        // While history is not out, the client's own id lies before what the feed knows of.
        (resumeFrom) => onOver(isReleased || resumeFrom === REPLACED_ID ? resumeFrom : undefined),
      );
      onFollowing(following);
      const { epoch } = following;
      const to = following.positionId();
      const history = await openHistory(subject, following, options);
      try {
        await sendHistory(connection, history, { epoch, to });
      } finally {
        // It may hold a consumer.
        await history.pages.return?.(undefined);
      }
      isReleased = true;
      connection.release();
      return history.status;
    },
  };
}

async function* once(events: readonly StoredEvent[]): AsyncGenerator<readonly StoredEvent[]> {
  if (events.length > 0) yield events;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

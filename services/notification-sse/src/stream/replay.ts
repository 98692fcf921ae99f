import { createTurns } from "@localstreet/bus/turns";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import type { ResumeEvent } from "@localstreet/contracts/vendor-events";
import type { SseConnection } from "@localstreet/fanout/sse-connection";
import type { History } from "./history.ts";
import type { VendorFrames } from "./vendor-frames.ts";

export interface Replays {
  /**
   * Tells the client where it stands, sends what it missed, and lets the live events follow (PROTOCOL.md S6, S16). The
   * connection is held meanwhile; history goes out at the pace of its socket.
   *
   * @param to the id of where the live events begin.
   * @throws {BusUnavailableError}
   */
  replayAndRelease(connection: SseConnection, history: History, to: string): Promise<void>;
}

/** Frames that are read ahead, so that `resume` can tell how many follow. */
const AHEAD_FRAMES = 256;
/**
 * History goes to the socket in pieces of about this size: far less than an outbox may hold, or live events that come
 * meanwhile would make it too much.
 */
const PIECE_BYTES = 32 * 1024;

/**
 * Replays take turns: `atOnce` of them read from the log, and as many send a piece in one turn of the event loop, so that
 * the live events of others are not held up however many come back.
 */
export function createReplays(frames: VendorFrames, atOnce: number): Replays {
  const inReadTurn = createTurns(atOnce);
  const inSendTurn = createTurns(atOnce);

  async function nextPage(history: History): Promise<Buffer[] | null> {
    const { done, value } = await inReadTurn(() => history.pages.next());
    if (done) return null;
    return value.map((event) => frames.frameOf(event)).filter((frame) => frame !== null);
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

  async function sendAll(connection: SseConnection, history: History, first: Buffer[]) {
    let piece: Buffer[] = [];
    let pieceBytes = 0;
    for (let page: Buffer[] | null = first; page; page = await nextPage(history)) {
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

  async function replay(connection: SseConnection, history: History, to: string): Promise<void> {
    const { status, from } = history;
    const ahead: Buffer[] = [];
    let isWhole = false;
    while (!isWhole && (history.isInMemory || ahead.length < AHEAD_FRAMES)) {
      const page = await nextPage(history);
      if (page) ahead.push(...page);
      else isWhole = true;
    }
    const replayed = isWhole ? ahead.length : null;
    const resume: ResumeEvent = { status, from, to, replayed };
    // A connection that breaks during the replay comes back as it was, not behind what it has not got.
    const id = ahead.length === 0 ? to : from;
    const told = encodeSseEvent({
      ...(id === null ? {} : { id }),
      event: "resume",
      data: JSON.stringify(resume),
    });
    if (ahead.length === 0) await connection.writeHistory(Buffer.from(told));
    else await sendAll(connection, history, [Buffer.from(told), ...ahead]);
    connection.release();
  }

  return {
    async replayAndRelease(connection, history, to) {
      try {
        await replay(connection, history, to);
      } finally {
        // It may hold a consumer.
        await history.pages.return?.(undefined);
      }
    },
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

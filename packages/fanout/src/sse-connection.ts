import type { ServerResponse } from "node:http";
import { Problem } from "@localstreet/contracts/problem";
import { Outbox } from "./outbox.ts";

/** One open stream of server-sent events. */
export interface SseConnection {
  /** A whole frame, encoded once for all streams that get it. */
  send(frame: Buffer): void;
  /** Past the queue of a connection that is held; see `Outbox.writeHistory`. */
  writeHistory(frame: Buffer): Promise<boolean>;
  release(): void;
  /** Sends `lastFrame` after all that is queued, and ends the stream; while it is held, `lastFrame` alone. */
  end(lastFrame?: Buffer): void;
  readonly pendingBytes: number;
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>;
}

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  // nginx would turn real time into batches.
  "x-accel-buffering": "no",
  // The body ends with the connection, so that frames are written as they are, without a chunk header each.
  connection: "close",
};

/** How long the peer of an ended stream may take to read what is left, in milliseconds. */
const END_GRACE_MS = 5_000;

/**
 * Answers with an event stream (PROTOCOL.md S4); its headers and `firstBytes` are on the wire when this returns. The
 * connection is held until `release`: frames that are sent before wait behind history.
 *
 * A reader that leaves more than `outboxBytes` unread is cut off (S9); `onOverflow` tells of it.
 *
 * @throws {Problem} `invalid-request` for a request that was pipelined behind another.
 */
export function openSseConnection(
  response: ServerResponse,
  options: { outboxBytes: number; firstBytes: string; onOverflow?: () => void },
): SseConnection {
  const { socket } = response;
  if (!socket) throw new Problem("invalid-request", "A stream needs a connection of its own");
  // Frames are written in turns already; waiting for more would only add latency.
  socket.setNoDelay(true);
  socket.setTimeout(0);
  response.useChunkedEncodingByDefault = false;
  response.writeHead(200, HEADERS);
  response.flushHeaders();
  socket.write(options.firstBytes);

  const closed = new Promise<void>((resolve) => response.once("close", resolve));
  const outbox = new Outbox(socket, {
    limitBytes: options.outboxBytes,
    held: true,
    onOverflow: () => {
      options.onOverflow?.();
      socket.destroy();
    },
  });
  void closed.then(() => outbox.close());
  let isEnded = false;

  return {
    send: (frame) => outbox.push(frame),
    writeHistory: (frame) => outbox.writeHistory(frame),
    release: () => outbox.release(),
    end(lastFrame) {
      if (isEnded) return;
      isEnded = true;
      // What is queued behind history that is not out stays unsent: the client resumes before it.
      outbox.finish();
      if (lastFrame) socket.write(lastFrame);
      response.end();
      const cut = setTimeout(() => socket.destroy(), END_GRACE_MS);
      void closed.then(() => clearTimeout(cut));
    },
    get pendingBytes() {
      return outbox.pendingBytes;
    },
    closed,
  };
}

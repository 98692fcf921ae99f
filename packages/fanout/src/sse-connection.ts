import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Problem } from "@localstreet/contracts/problem";
import { createOutbox, type Outbox } from "./outbox.ts";

/** A response that is a stream of server-sent events. Frames are whole events, encoded once and shared. */
export interface SseConnection {
  readonly outbox: Outbox;
  readonly isOpen: boolean;
  send(frame: Buffer): void;
  /**
   * Ends the stream after what is queued and `last`. While the outbox is held, `last` goes out at once and what is queued
   * is dropped. A client that does not take it within `END_GRACE_MS` is cut off.
   */
  end(last?: Buffer): void;
  /** Breaks the connection. */
  cut(): void;
}

/** How long a client may take to read the end of its stream, in milliseconds. */
const END_GRACE_MS = 2_000;

const STREAM_HEADERS: OutgoingHttpHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  // nginx buffers what it proxies unless told not to.
  "x-accel-buffering": "no",
  connection: "close",
};

/**
 * Answers with the head of a stream at once, and `first` with it. The body has no framing of its own and ends with the
 * connection (RFC 9112 section 6.3), so that the same bytes can be written to every socket.
 *
 * `onClose` runs once, when the connection is gone for whatever reason; `onOverflow` before it when the client was cut off
 * because it did not read (PROTOCOL.md S9).
 *
 * @throws {Problem} `invalid-request` for a request that was pipelined behind another.
 */
export function openSseConnection(
  response: ServerResponse,
  options: {
    outboxBytes: number;
    first: Buffer;
    onClose: () => void;
    onOverflow?: () => void;
  },
): SseConnection {
  const { socket } = response;
  if (!socket) throw new Problem("invalid-request", "A stream needs a connection of its own");
  return new RawStream(response, socket, options);
}

class RawStream implements SseConnection {
  readonly outbox: Outbox;
  readonly #response: ServerResponse;

  constructor(
    response: ServerResponse,
    socket: Socket,
    options: { outboxBytes: number; first: Buffer; onClose: () => void; onOverflow?: () => void },
  ) {
    this.#response = response;
    this.outbox = createOutbox(socket, {
      limitBytes: options.outboxBytes,
      onOverflow: () => {
        options.onOverflow?.();
        this.cut();
      },
    });
    response.on("close", () => {
      this.outbox.close();
      options.onClose();
    });
    // Without it Node frames the body in chunks.
    response.removeHeader("transfer-encoding");
    response.writeHead(200, STREAM_HEADERS);
    response.write(options.first);
  }

  get isOpen(): boolean {
    return !this.#response.writableEnded && !this.#response.destroyed;
  }

  send(frame: Buffer): void {
    this.outbox.push(frame);
  }

  end(last?: Buffer): void {
    if (!this.isOpen) return;
    const grace = setTimeout(() => this.cut(), END_GRACE_MS);
    this.#response.once("close", () => clearTimeout(grace));
    this.outbox.finish(last);
    this.#response.end();
  }

  cut(): void {
    this.#response.destroy();
  }
}

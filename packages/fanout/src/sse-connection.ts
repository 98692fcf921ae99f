import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Problem } from "@localstreet/contracts/problem";
import { Outbox, type OutboxOwner } from "./outbox.ts";

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
 * One open stream of server-sent events. Held until `release`: frames that are sent before wait behind history. A class
 * with few fields and no closures, because there are ten thousand of them.
 */
export class SseConnection implements OutboxOwner {
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #onOverflow: (() => void) | undefined;
  #onClosed: (() => void)[] = [];
  #state: "open" | "ended" | "closed" = "open";

  constructor(socket: Socket, options: { outboxBytes: number; onOverflow?: () => void }) {
    this.#socket = socket;
    this.#onOverflow = options.onOverflow;
    this.#outbox = new Outbox(socket, this, { limitBytes: options.outboxBytes, held: true });
    socket.once("close", () => this.#close());
  }

  /** A whole frame, encoded once for all streams that get it. */
  send(frame: Buffer): void {
    this.#outbox.push(frame);
  }

  /** As `send`, but a slow reader gets only the newest frame of the slot; see `Outbox.pushLatest`. */
  sendLatest(slotName: string, frame: Buffer): void {
    this.#outbox.pushLatest(slotName, frame);
  }

  /** Past the queue of a connection that is held; see `Outbox.writeHistory`. */
  writeHistory(frame: Buffer): Promise<boolean> {
    return this.#outbox.writeHistory(frame);
  }

  release(): void {
    this.#outbox.release();
  }

  /** Sends `lastFrame` after all that is queued, and ends the stream; while it is held, `lastFrame` alone. */
  end(lastFrame?: Buffer): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    // What is queued behind history that is not out stays unsent: the client resumes before it.
    this.#outbox.finish(lastFrame);
    this.#socket.destroySoon();
    const cut = setTimeout(() => this.#socket.destroy(), END_GRACE_MS);
    this.onClosed(() => clearTimeout(cut));
  }

  get isWritable(): boolean {
    return this.#socket.writable;
  }

  /** The reader is cut off. */
  onOverflow(): void {
    this.#onOverflow?.();
    this.#socket.destroy();
  }

  get pendingBytes(): number {
    return this.#outbox.pendingBytes;
  }

  /** Calls `listener` when the connection is gone, whoever ended it; at once when it is gone already. */
  onClosed(listener: () => void): void {
    if (this.#state === "closed") listener();
    else this.#onClosed.push(listener);
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    return new Promise((resolve) => this.onClosed(resolve));
  }

  #close(): void {
    this.#state = "closed";
    this.#outbox.close();
    const listeners = this.#onClosed;
    this.#onClosed = [];
    for (const listener of listeners) listener();
  }
}

/**
 * Answers with an event stream (PROTOCOL.md S4); its headers and `firstBytes` are on the wire when this returns. The
 * request's headers are gone then, and so are the listeners of `response`: a framework's hooks for its end do not run.
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
  socket.write(encodeHead(response) + options.firstBytes);
  forgetRequest(response);
  return new SseConnection(socket, options);
}

/**
 * The head of the answer, with what hooks have set on `response`. Written past it, for `node:http` would keep it, and the
 * headers, each as an object, for as long as the stream is open.
 */
function encodeHead(response: ServerResponse): string {
  const headers = { ...response.getHeaders(), ...HEADERS, date: new Date().toUTCString() };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 200 OK\r\n${lines.join("")}\r\n`;
}

/**
 * Lets go of what was parsed, and of whoever waits for the end of the response: a framework's request and reply. Together
 * they are more than the connection's own state.
 */
function forgetRequest(response: ServerResponse): void {
  response.removeAllListeners();
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.req.headers = {};
  response.req.rawHeaders = [];
}

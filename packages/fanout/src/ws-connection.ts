import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { createOutbox, type Outbox, type Sink } from "./outbox.ts";

/** A WebSocket of the package `ws` whose text frames were encoded before and go to the socket as they are. */
export interface WsConnection {
  readonly outbox: Outbox;
  /** A whole frame of `encodeTextFrame`. */
  send(frame: Buffer): void;
  /** As `send`; while the client does not keep up, only the newest frame of a slot waits. */
  sendLatest(slot: string, frame: Buffer): void;
  /** Closes after what is queued. Nothing is written after the close frame. */
  close(code: number, reason: string): void;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
}

/**
 * Takes over writing to a socket that `ws` has upgraded; `ws` goes on reading it and writes its own pings, pongs and close
 * frames. Compression must be off.
 */
export function openWsConnection(
  ws: WebSocket,
  options: {
    outboxBytes: number;
    /** The outbox passed its limit and is closed; close the connection (PROTOCOL.md E4: 4413). */
    onOverflow: () => void;
  },
): WsConnection {
  return new RawConnection(ws, options);
}

/** JSON text as one unmasked, final text frame (RFC 6455 section 5.2): the bytes that a server sends. */
export function encodeTextFrame(json: string): Buffer {
  const length = Buffer.byteLength(json);
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headLength + length);
  frame[0] = 0x81;
  if (headLength === 2) {
    frame[1] = length;
  } else if (headLength === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(json, headLength);
  return frame;
}

class RawConnection implements WsConnection, Sink {
  readonly outbox: Outbox;
  readonly #ws: WebSocket;
  readonly #socket: Socket;

  constructor(ws: WebSocket, options: { outboxBytes: number; onOverflow: () => void }) {
    this.#ws = ws;
    // Not in the types, and the way `ws` itself takes in `createWebSocketStream`.
    this.#socket = (ws as unknown as { _socket: Socket })._socket;
    if (!this.#socket) throw new TypeError("the WebSocket is not open");
    this.outbox = createOutbox(this, {
      limitBytes: options.outboxBytes,
      onOverflow: options.onOverflow,
    });
    ws.on("close", () => this.outbox.close());
  }

  /** `ws` answers a client's close frame by itself, and nothing may follow the answer. */
  get writable(): boolean {
    return this.#ws.readyState === this.#ws.OPEN && this.#socket.writable;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer, done: () => void): void {
    this.#socket.write(bytes, done);
  }

  send(frame: Buffer): void {
    this.outbox.push(frame);
  }

  sendLatest(slot: string, frame: Buffer): void {
    this.outbox.pushLatest(slot, frame);
  }

  close(code: number, reason: string): void {
    this.outbox.finish();
    this.#ws.close(code, reason);
  }

  get closed(): Promise<void> {
    const ws = this.#ws;
    if (ws.readyState === ws.CLOSED) return Promise.resolve();
    return new Promise((resolve) => ws.once("close", () => resolve()));
  }
}

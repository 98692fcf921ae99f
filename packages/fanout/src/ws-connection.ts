import type { Socket } from "node:net";
import type { CloseCode } from "@localstreet/contracts/close-codes";
import type { WebSocket } from "ws";
import { Outbox, type OutboxOwner } from "./outbox.ts";

const FINAL_TEXT_FRAME = 0x81;
/** How long a peer may take to answer a close, in milliseconds. */
const CLOSE_GRACE_MS = 5_000;

/** A whole server frame, unmasked and final (RFC 6455 section 5.2). The same bytes serve every connection. */
export function encodeTextFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headerBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerBytes + length);
  frame[0] = FINAL_TEXT_FRAME;
  if (headerBytes === 2) frame[1] = length;
  else if (headerBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, headerBytes, "utf8");
  return frame;
}

/** One open WebSocket whose frames are encoded once and shared. */
export class WsConnection implements OutboxOwner {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly onOverflow: () => void;

  constructor(
    ws: WebSocket,
    socket: Socket,
    options: { outboxBytes: number; onOverflow: () => void },
  ) {
    this.#ws = ws;
    this.#socket = socket;
    this.onOverflow = options.onOverflow;
    this.#outbox = new Outbox(socket, this, { limitBytes: options.outboxBytes });
    ws.once("close", () => this.#outbox.close());
  }

  /** A frame of `encodeTextFrame`. */
  send(frame: Buffer): void {
    this.#outbox.push(frame);
  }

  /** As `send`, but a slow reader gets only the newest frame of the slot; see `Outbox.pushLatest`. */
  sendLatest(slotName: string, frame: Buffer): void {
    this.#outbox.pushLatest(slotName, frame);
  }

  /** Closes after all that was sent. The connection is cut when the peer does not answer the close. */
  close(code: CloseCode, reason: string): void {
    this.#outbox.finish();
    this.#ws.close(code, reason);
    const cut = setTimeout(() => this.#ws.terminate(), CLOSE_GRACE_MS);
    this.#ws.once("close", () => clearTimeout(cut));
  }

  /** `ws` answers a client's close frame by itself, and nothing may follow its answer. */
  get isWritable(): boolean {
    return this.#ws.readyState === this.#ws.OPEN && this.#socket.writable;
  }

  get pendingBytes(): number {
    return this.#outbox.pendingBytes;
  }

  /** Resolves when the connection is gone, whoever closed it. */
  get closed(): Promise<void> {
    if (this.#ws.readyState === this.#ws.CLOSED) return Promise.resolve();
    return new Promise((resolve) => this.#ws.once("close", () => resolve()));
  }
}

/**
 * Takes over the sending side of `ws`: frames go to `socket`, the connection underneath. Pings and closes stay with
 * `ws`, which writes them to the same socket in one piece each. Compression must be off.
 */
export function openWsConnection(
  ws: WebSocket,
  socket: Socket,
  options: { outboxBytes: number; onOverflow: () => void },
): WsConnection {
  return new WsConnection(ws, socket, options);
}

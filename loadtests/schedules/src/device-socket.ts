import type { Socket } from "node:net";

type Listener = () => void;

/** Bytes that a socket takes although nobody reads. */
const HIGH_WATER_BYTES = 1_024;

/** The server's end of a device's connection. The device takes what was written when it reads; it may be stalled. */
export class DeviceSocket {
  isReading = true;
  isClosed = false;
  writableLength = 0;
  writableNeedDrain = false;
  readonly #onBytes: (bytes: Buffer) => void;
  #unread: Buffer[] = [];
  #isEnding = false;
  #listeners: { readonly event: string; readonly listener: Listener }[] = [];

  constructor(onBytes: (bytes: Buffer) => void) {
    this.#onBytes = onBytes;
  }

  /** As `SseConnection` takes it. */
  get socket(): Socket {
    return this as unknown as Socket;
  }

  get writable(): boolean {
    return !this.isClosed && !this.#isEnding;
  }

  write(chunk: Buffer): boolean {
    if (!this.writable) return false;
    this.#unread.push(chunk);
    this.writableLength += chunk.length;
    if (this.isReading) this.#hand();
    else this.writableNeedDrain = this.writableLength > HIGH_WATER_BYTES;
    return !this.writableNeedDrain;
  }

  /** The device reads all that was written. */
  read(): void {
    if (this.isClosed) return;
    this.#hand();
    if (this.#isEnding) this.destroy();
    else if (this.writableNeedDrain) {
      this.writableNeedDrain = false;
      this.#emit("drain");
    }
  }

  once(event: string, listener: Listener): this {
    this.#listeners.push({ event, listener });
    return this;
  }

  off(event: string, listener: Listener): this {
    this.#listeners = this.#listeners.filter(
      (known) => known.event !== event || known.listener !== listener,
    );
    return this;
  }

  destroySoon(): void {
    this.#isEnding = true;
    if (this.writableLength === 0) this.destroy();
  }

  /** What was not read is lost. */
  destroy(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#unread = [];
    this.#emit("close");
  }

  #hand(): void {
    const bytes = this.#unread;
    this.#unread = [];
    this.writableLength = 0;
    for (const chunk of bytes) this.#onBytes(chunk);
  }

  #emit(event: string): void {
    const called = this.#listeners.filter((known) => known.event === event);
    this.#listeners = this.#listeners.filter((known) => known.event !== event);
    for (const { listener } of called) listener();
  }
}

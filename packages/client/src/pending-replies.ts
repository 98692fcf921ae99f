import { SocketError } from "./socket-error.ts";
import type { ServerFrame } from "./socket-frames.ts";

/** Frames of one connection that wait for their answer; more is a caller that does not wait. */
const MAX_PENDING = 256;

/** The frames of one connection that have no answer yet, by `ref`. */
export class PendingReplies {
  #nextRef = 1;
  readonly #waiting = new Map<
    number,
    {
      readonly replyType: ServerFrame["type"];
      resolve(frame: ServerFrame): void;
      reject(error: SocketError): void;
      timer: ReturnType<typeof setTimeout>;
    }
  >();

  /** A new `ref` and the promise of its answer, a frame of `replyType`, which is rejected after `timeoutMs`. */
  open(
    replyType: ServerFrame["type"],
    timeoutMs: number,
  ): { ref: number; reply: Promise<ServerFrame> } {
    if (this.#waiting.size >= MAX_PENDING) {
      throw new SocketError("rate-limited", "too many frames wait for their answer", true);
    }
    const ref = this.#nextRef++;
    const reply = new Promise<ServerFrame>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(ref);
        reject(new SocketError("no-answer", "no answer in time", true));
      }, timeoutMs);
      this.#waiting.set(ref, { replyType, resolve, reject, timer });
    });
    return { ref, reply };
  }

  /**
   * An answer that comes too late, or to nothing, is dropped. @returns `false`, and settles nothing, when the frame is no
   * answer to what was asked.
   */
  settle(ref: number, frame: ServerFrame): boolean {
    const waiting = this.#waiting.get(ref);
    if (!waiting) return true;
    if (frame.type === "error") {
      const { code, message, retryable, retryAfterMs } = frame;
      this.refuse(ref, new SocketError(code, message, retryable, retryAfterMs));
      return true;
    }
    if (frame.type !== waiting.replyType) return false;
    this.#waiting.delete(ref);
    clearTimeout(waiting.timer);
    waiting.resolve(frame);
    return true;
  }

  refuse(ref: number, error: SocketError): void {
    const waiting = this.#waiting.get(ref);
    if (!waiting) return;
    this.#waiting.delete(ref);
    clearTimeout(waiting.timer);
    waiting.reject(error);
  }

  rejectAll(error: SocketError): void {
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
  }
}

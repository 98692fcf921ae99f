/** Why a frame has no answer: the server refused it, or nobody knows whether it arrived. */
export class SocketError extends Error {
  override readonly name = "SocketError";
  /**
   * A problem code of the protocol, or `not-connected` (it was not sent), `connection-lost`, `no-answer` and
   * `unreadable-answer` (it may have been carried out: send it again under the same id).
   */
  readonly code: string;
  /** Whether the same frame may succeed later. */
  readonly retryable: boolean;
  /** When to come back, in milliseconds, where the server said so. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryable: boolean, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

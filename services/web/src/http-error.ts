import type { ProblemDetails } from "@localstreet/contracts/problem";

/** The server answered, but not with what was asked for. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  /** `null` when the answer is no problem of the platform: something between it and us has answered. */
  readonly problem: ProblemDetails | null;
  /** When to come back, in milliseconds, where the server said so. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, problem: ProblemDetails | null, retryAfterMs?: number) {
    super(`HTTP ${status}`);
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

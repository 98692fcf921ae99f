import { z } from "zod";
import { type OrderDecision, orderDecisionSchema } from "./order.ts";

/** The stable `code` of every error, with its HTTP status, and whether the same request may succeed later. */
export const PROBLEMS = {
  "invalid-request": { status: 400, title: "The request is malformed", retryable: false },
  "unknown-type": { status: 400, title: "No such frame type", retryable: false },
  unauthenticated: { status: 401, title: "A valid token is required", retryable: false },
  "token-revoked": { status: 401, title: "The token was revoked", retryable: false },
  "token-expired": { status: 401, title: "The token has expired", retryable: false },
  forbidden: { status: 403, title: "This role may not do that", retryable: false },
  "not-found": { status: 404, title: "Not found", retryable: false },
  "method-not-allowed": { status: 405, title: "Method not allowed", retryable: false },
  "request-timeout": {
    status: 408,
    title: "The request did not arrive in time",
    retryable: true,
  },
  conflict: { status: 409, title: "Another body was stored under this id", retryable: false },
  "already-decided": { status: 409, title: "The order was decided before", retryable: false },
  "too-large": { status: 413, title: "The body is too large", retryable: false },
  "uri-too-long": { status: 414, title: "The URL is too long", retryable: false },
  "unsupported-media-type": { status: 415, title: "Send application/json", retryable: false },
  "upgrade-required": { status: 426, title: "Open a WebSocket here", retryable: false },
  "rate-limited": { status: 429, title: "Too many requests", retryable: true },
  "too-many-connections": { status: 429, title: "Too many connections", retryable: true },
  "too-many-watches": {
    status: 429,
    title: "Too many watches on one connection",
    retryable: false,
  },
  "headers-too-large": { status: 431, title: "The headers are too large", retryable: false },
  internal: { status: 500, title: "Internal error", retryable: false },
  "bad-gateway": { status: 502, title: "The service did not answer", retryable: true },
  unavailable: {
    status: 503,
    title: "A store is unavailable; nothing was stored",
    retryable: true,
  },
  draining: { status: 503, title: "This replica is shutting down", retryable: true },
  timeout: { status: 504, title: "The service took too long", retryable: true },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>;

export type ProblemCode = keyof typeof PROBLEMS;

export const issuesSchema = z.array(z.object({ path: z.string(), message: z.string() }));

/** RFC 9457 problem details. `type` is `about:blank` and `title` speaks of `code`, which is what clients branch on. */
export const problemDetailsSchema = z.object({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string().optional(),
  /** What is wrong where, for `invalid-request`. */
  issues: issuesSchema.optional(),
  /** What decided the order, for `already-decided`. An extension member (RFC 9457 section 3.2). */
  winner: orderDecisionSchema.optional(),
});
export type ProblemDetails = z.infer<typeof problemDetailsSchema>;

/** The client's fault, or a temporary refusal: the one error that routes and frame handlers throw at a client. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly issues: ProblemDetails["issues"];
  readonly winner: OrderDecision | undefined;
  /** When to come back, in milliseconds, where we know. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ProblemCode,
    detail?: string,
    more: {
      issues?: ProblemDetails["issues"];
      winner?: OrderDecision;
      retryAfterMs?: number;
      cause?: unknown;
    } = {},
  ) {
    super(detail ?? PROBLEMS[code].title, { cause: more.cause });
    this.code = code;
    this.status = PROBLEMS[code].status;
    this.retryable = PROBLEMS[code].retryable;
    this.issues = more.issues;
    this.winner = more.winner;
    this.retryAfterMs = more.retryAfterMs;
  }

  toDetails(): ProblemDetails {
    return {
      type: "about:blank",
      title: PROBLEMS[this.code].title,
      status: this.status,
      code: this.code,
      ...(this.message === PROBLEMS[this.code].title ? {} : { detail: this.message }),
      ...(this.issues ? { issues: this.issues } : {}),
      ...(this.winner ? { winner: this.winner } : {}),
    };
  }
}

/** The fault of a zod check as a `Problem`: every issue with its path. */
export function invalidRequest(error: z.ZodError, what = "The request"): Problem {
  const issues = error.issues.slice(0, 20).map((issue) => ({
    path: issue.path.map(String).join("."),
    message: issue.message,
  }));
  return new Problem("invalid-request", `${what} does not match its schema`, { issues });
}

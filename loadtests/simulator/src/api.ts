import type { Clock } from "./clock.ts";
import type { Counts } from "./counts.ts";
import type { Identity, TokenDesk } from "./tokens.ts";

export interface ApiRequest {
  readonly method: "POST" | "PUT";
  readonly path: string;
  readonly as: Identity;
  readonly body: unknown;
  /** Somebody else may have decided before: a 409 is no fault of anybody. */
  readonly mayLose?: boolean;
}

/** `lost`: somebody else was first. `stopped`: the simulation ended before there was an answer. */
export type ApiAnswer = "done" | "lost" | "refused" | "stopped";

export interface Api {
  readonly gateway: string;
  /** Sends until it is answered for good, waiting as the answers say. Every request of the platform may be sent twice. */
  send(request: ApiRequest): Promise<ApiAnswer>;
}

const REQUEST_TIMEOUT_MS = 10_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const TEMPORARY: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

type Attempt = "done" | "lost" | { refused: string } | { retryAfterMs: number | null };

export function openApi(options: {
  gateway: string;
  clock: Clock;
  tokens: TokenDesk;
  counts: Counts;
  log(line: string): void;
}): Api {
  const { gateway, clock, tokens, counts } = options;

  async function attempt(request: ApiRequest): Promise<Attempt> {
    const token = await tokens.tokenFor(request.as);
    const response = await fetch(`${gateway}${request.path}`, {
      method: request.method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify(request.body),
      signal: AbortSignal.any([clock.stopped, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    // Read to its end, or the connection could not be used again.
    const text = await response.text();
    if (response.ok) return "done";
    if (response.status === 409 && request.mayLose) return "lost";
    if (!TEMPORARY.has(response.status)) return { refused: `${response.status} ${text}` };
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    return { retryAfterMs: seconds >= 0 ? seconds * 1_000 : null };
  }

  return {
    gateway,
    async send(request) {
      for (let failures = 0; !clock.stopped.aborted; failures++) {
        const result = await attempt(request).catch((): Attempt => ({ retryAfterMs: null }));
        if (result === "done" || result === "lost") return result;
        if ("refused" in result) {
          counts.refused += 1;
          options.log(`${request.method} ${request.path} was refused: ${result.refused}`);
          return "refused";
        }
        if (clock.stopped.aborted) break;
        counts.retries += 1;
        await clock.waitMs(Math.max(result.retryAfterMs ?? 0, backoffMs(failures)));
      }
      return "stopped";
    },
  };
}

function backoffMs(failures: number): number {
  const stepMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10));
  return stepMs * (0.5 + Math.random() / 2);
}

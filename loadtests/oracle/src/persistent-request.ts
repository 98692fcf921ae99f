import { setTimeout as sleep } from "node:timers/promises";
import { jitteredMs } from "./jitter.ts";
import { type Answer, codeOf, type Request, type Target } from "./target.ts";

interface Attempts {
  readonly attempts: number;
  /** Some attempt was left without an answer, or with one that does not exclude that it was carried out. */
  readonly mayExist: boolean;
}

export type Outcome = Attempts &
  (
    | { readonly kind: "done"; readonly answer: Answer }
    /** `body` is that of the last answer; `null` when there was none. */
    | { readonly kind: "refused"; readonly code: string; readonly body: unknown }
  );

const TEMPORARY: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** Sends the same request until it is answered for good, waiting as the answers say, for `giveUpMs` at most. */
export async function requestPersistently(
  target: Target,
  request: Request,
  { giveUpMs }: { giveUpMs: number },
): Promise<Outcome> {
  const startedAtMs = performance.now();
  let mayExist = false;
  for (let attempt = 0; ; attempt++) {
    let code = "no-answer";
    let body: unknown = null;
    const attempts = attempt + 1;
    let retryAfterMs: number | undefined;
    try {
      const answer = await target.request(request);
      if (answer.status >= 200 && answer.status < 300)
        return { kind: "done", answer, attempts, mayExist };
      code = codeOf(answer);
      ({ body } = answer);
      retryAfterMs = answer.retryAfterMs;
      if (!TEMPORARY.has(answer.status)) return { kind: "refused", code, body, attempts, mayExist };
      mayExist ||= answer.status !== 429;
    } catch {
      mayExist = true;
    }
    const waitMs = jitteredMs(attempt, retryAfterMs);
    if (performance.now() - startedAtMs + waitMs > giveUpMs) {
      return { kind: "refused", code, body, attempts, mayExist };
    }
    await sleep(waitMs);
  }
}

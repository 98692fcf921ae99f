import { setTimeout as sleep } from "node:timers/promises";
import { jitteredMs } from "./jitter.ts";
import { type Answer, codeOf, type Request, type Target } from "./target.ts";

export type Outcome =
  | { readonly kind: "done"; readonly answer: Answer }
  /** `mayExist`: some attempt was left without an answer, or with one that does not exclude that it was carried out. */
  | { readonly kind: "refused"; readonly code: string; readonly mayExist: boolean };

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
    let retryAfterMs: number | undefined;
    try {
      const answer = await target.request(request);
      if (answer.status >= 200 && answer.status < 300) return { kind: "done", answer };
      code = codeOf(answer);
      retryAfterMs = answer.retryAfterMs;
      if (!TEMPORARY.has(answer.status)) return { kind: "refused", code, mayExist };
      mayExist ||= answer.status !== 429;
    } catch {
      mayExist = true;
    }
    const waitMs = jitteredMs(attempt, retryAfterMs);
    if (performance.now() - startedAtMs + waitMs > giveUpMs) {
      return { kind: "refused", code, mayExist };
    }
    await sleep(waitMs);
  }
}

import type { CLOSE } from "@localstreet/contracts/close-codes";
import type { ConnectionEnd } from "./keep-connected.ts";

export interface Goaway {
  readonly reason: string;
  readonly reconnect: boolean;
  readonly retryAfterMs: number;
}

const UNAUTHENTICATED: (typeof CLOSE)["unauthenticated"] = 4401;
/** Closes after which the same client would be closed again (PROTOCOL.md E4), with a problem code. */
const FINAL: ReadonlyMap<number, string> = new Map<
  (typeof CLOSE)["forbidden" | "malformed" | "frameTooLarge"],
  string
>([
  [4403, "forbidden"],
  [4400, "invalid-request"],
  [1009, "too-large"],
]);

/** What a close means for the next connection. */
export function endOfClose(
  code: number,
  reason: string,
  goaway: Goaway | undefined,
): ConnectionEnd {
  const why = goaway?.reason || reason || `closed with ${code}`;
  if (code === UNAUTHENTICATED) return { kind: "token-refused", reason: why };
  const final = FINAL.get(code);
  if (final !== undefined) return { kind: "refused", code: final };
  if (goaway?.reconnect === false) return { kind: "refused", code: "forbidden" };
  return { kind: "lost", reason: why, ...(goaway ? { retryAfterMs: goaway.retryAfterMs } : {}) };
}

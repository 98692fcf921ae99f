import type { ConnectionEnd } from "./keep-connected.ts";
import type { StreamEvent } from "./sse-parser.ts";

/** What status and headers say of a stream; `null` when it may be read. */
export function endOfResponse(response: Response): ConnectionEnd | null {
  const { status, headers } = response;
  if (status === 401) return { kind: "token-refused", reason: "the token was refused" };
  if (status === 400) return { kind: "refused", code: "invalid-request" };
  if (status === 403) return { kind: "refused", code: "forbidden" };
  if (status === 404) return { kind: "refused", code: "not-found" };
  const retryAfter = Number(headers.get("retry-after") || Number.NaN);
  const later = retryAfter >= 0 ? { retryAfterMs: retryAfter * 1_000 } : {};
  if (status !== 200) return { kind: "lost", reason: `HTTP ${status}`, ...later };
  // A captive portal answers 200 with a page of its own: that passes.
  const type = headers.get("content-type") ?? "";
  if (!type.startsWith("text/event-stream")) return { kind: "lost", reason: "not an event stream" };
  return null;
}

const TOKEN_REFUSED = new Set(["token-expired", "token-revoked", "unauthenticated"]);

/** What `goaway` and `error` (PROTOCOL.md S10, A8, E5) announce; `null` for every other event. */
export function endOfEvent(event: StreamEvent): ConnectionEnd | null {
  if (event.event === "goaway") {
    const { retryAfterMs } = parseFields(event.data);
    const later = typeof retryAfterMs === "number" ? { retryAfterMs } : {};
    return { kind: "lost", reason: "the server asked to reconnect", ...later };
  }
  if (event.event !== "error") return null;
  const { code, message } = parseFields(event.data);
  const reason = String(message ?? code ?? "an error without a code");
  if (typeof code === "string" && TOKEN_REFUSED.has(code)) return { kind: "token-refused", reason };
  if (code === "forbidden" || code === "not-found") return { kind: "refused", code };
  return { kind: "lost", reason };
}

function parseFields(data: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

import { orAborted } from "./abortable.ts";
import type { ConnectionState } from "./connection-state.ts";
import { type ConnectionEnd, callOut, keepConnected, lostBy } from "./keep-connected.ts";
import { createSeenIds } from "./seen-ids.ts";
import { createSseParser, type StreamEvent } from "./sse-parser.ts";
import { endOfEvent, endOfResponse } from "./stream-end.ts";
import { askToken, isRenewable, type TokenSource } from "./token.ts";

export type { StreamEvent } from "./sse-parser.ts";

export interface EventStreamOptions {
  url: string;
  token: TokenSource;
  /** Every event once, `resume`, `ping`, `goaway` and `error` included. */
  onEvent(event: StreamEvent): void;
  onState?: (state: ConnectionState) => void;
  /** An event that came again under an id that was told already: nothing to do but to count it. */
  onRepeated?: (event: StreamEvent) => void;
  /** Where to go on from: the newest id of an earlier life. */
  lastEventId?: string | undefined;
  fetch?: typeof fetch;
  /** Without a byte for so long the connection is given up. 33 s when absent. */
  silenceMs?: number;
  /** For the token and the answer to the request together. 15 s when absent. */
  connectTimeoutMs?: number;
  /** First and longest wait between attempts. 500 ms and 30 s when absent. */
  backoffMs?: { base: number; cap: number };
}

export interface EventStream {
  readonly state: ConnectionState;
  /** The newest id seen, to be kept where it outlives the page; `undefined` before the first. */
  readonly lastEventId: string | undefined;
  close(): void;
}

/** A keepalive comes every 25 s, and a slow network may hold it up, in milliseconds. */
const SILENCE_MS = 33_000;
/** Ends a connection whose place the next one takes at once. */
class TokenRenewed extends Error {}

/**
 * An event stream that comes back by itself: server-sent events over `fetch`, so that the token travels in a header and
 * several people can share a page. It resumes with `Last-Event-ID` (PROTOCOL.md S5), obeys `retry:` and `goaway` (S10),
 * asks for a new token when the old one was refused, is about to end or has ended (A7, A8), and stops for good where coming
 * back cannot help (403, 404, or a fixed token that was refused).
 */
export function openEventStream(options: EventStreamOptions): EventStream {
  const seen = createSeenIds();
  let lastEventId = options.lastEventId;
  let retryMs = 0;
  let token = "";
  /** The next connection's token, when it is known before. */
  let nextToken: string | undefined;

  async function request(signal: AbortSignal): Promise<ReadableStream<Uint8Array> | ConnectionEnd> {
    token = nextToken ?? (await orAborted(askToken(options.token), signal));
    nextToken = undefined;
    const headers: Record<string, string> = {
      Accept: "text/event-stream",
      Authorization: `Bearer ${token}`,
    };
    if (lastEventId) headers["Last-Event-ID"] = lastEventId;
    const fetchStream = options.fetch ?? fetch;
    // Browsers let only one request of a URL fill their cache at a time: a second stream would wait for the first.
    const init = { headers, signal, cache: "no-store" as const };
    const response = await fetchStream(options.url, init);
    return endOfResponse(response) ?? response.body ?? lostBy(new Error("an answer without body"));
  }

  /** Comes back with a newer token before this one ends; without one the stream goes on until then. */
  async function renewToken(attempt: AbortController): Promise<void> {
    const newer = await orAborted(askToken(options.token), attempt.signal);
    if (newer === token) return;
    nextToken = newer;
    attempt.abort(new TokenRenewed("there is a newer token"));
  }

  /** One connection, from its token to its end. */
  async function connectOnce(closing: AbortSignal, opened: () => void): Promise<ConnectionEnd> {
    const attempt = new AbortController();
    const stop = () => attempt.abort(closing.reason);
    closing.addEventListener("abort", stop);
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    const expectBytesWithin = (ms: number, otherwise: string) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => attempt.abort(new Error(otherwise)), ms);
    };
    const announced: { end?: ConnectionEnd } = {};
    const parser = createSseParser({
      onId(id) {
        lastEventId = id;
      },
      onRetry(ms) {
        retryMs = ms;
      },
      onEvent(event) {
        if (closing.aborted) return;
        const end = endOfEvent(event);
        if (end) announced.end = end;
        else opened();
        // Without a newer one the stream goes on until its token ends.
        if (event.event === "token-expiring") renewToken(attempt).catch(() => {});
        if (event.id !== null) lastEventId = event.id;
        if (seen.isNew(event)) callOut(options.onEvent, event);
        else if (options.onRepeated) callOut(options.onRepeated, event);
      },
    });
    try {
      expectBytesWithin(options.connectTimeoutMs ?? 15_000, "no answer in time");
      const body = await request(attempt.signal);
      if ("kind" in body) return withRetry(body);
      const reader = body.getReader();
      while (announced.end === undefined) {
        expectBytesWithin(options.silenceMs ?? SILENCE_MS, "the stream fell silent");
        const { done, value } = await orAborted(reader.read(), attempt.signal);
        if (done) return withRetry({ kind: "lost", reason: "the stream ended" });
        parser.push(value);
      }
      return withRetry(announced.end);
    } catch (error) {
      const cause = attempt.signal.aborted ? attempt.signal.reason : error;
      if (cause instanceof TokenRenewed) return { kind: "token-refused", reason: cause.message };
      return withRetry(lostBy(cause));
    } finally {
      clearTimeout(watchdog);
      closing.removeEventListener("abort", stop);
      attempt.abort();
    }
  }

  function withRetry(end: ConnectionEnd): ConnectionEnd {
    return end.kind === "refused" ? end : { retryAfterMs: retryMs, ...end };
  }

  const kept = keepConnected({
    connectOnce,
    onState: options.onState,
    tokenRenewable: isRenewable(options.token),
    backoffMs: options.backoffMs,
  });
  return {
    get state() {
      return kept.state;
    },
    get lastEventId() {
      return lastEventId;
    },
    close: kept.close,
  };
}

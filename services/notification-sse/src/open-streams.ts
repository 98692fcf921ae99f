import type { Following } from "@localstreet/bus/subject-feed";
import { Problem } from "@localstreet/contracts/problem";
import { encodeSseEvent, SSE_KEEPALIVE } from "@localstreet/contracts/sse";
import { startHeartbeat } from "@localstreet/fanout/heartbeat";
import type { SseConnection } from "@localstreet/fanout/sse-connection";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { spreadOver } from "@localstreet/service-kit/spread-over";
import { Gauge } from "prom-client";
import type { NotificationConfig } from "./config.ts";

/** A stream that is open, for what concerns all of them: pings, the end of its token, the drain. */
export interface OpenStream {
  readonly connection: SseConnection;
  /** When its token ends, in milliseconds since the epoch. */
  readonly expiresAtMs: number;
  readonly following: Following;
}

export interface OpenStreams {
  /** A `retry:` of its own for each connection, so that those that break together do not come back together. */
  retryMs(): number;
  /** Looks after the stream. */
  add(stream: OpenStream): void;
  delete(stream: OpenStream): void;
  /** Sends `goaway` and ends the stream (PROTOCOL.md S10). */
  goAway(connection: SseConnection): void;
  /** Sends all away, spread over `windowMs` milliseconds, and resolves when the last connection has closed. */
  drain(windowMs: number): Promise<void>;
  close(): void;
}

const EXPIRY_CHECK_MS = 500;
const keepalive = Buffer.from(SSE_KEEPALIVE);

export function openStreams(kit: ServiceKit<NotificationConfig>): OpenStreams {
  const { config } = kit;
  const streams = new Set<OpenStream>();
  const keepalives = startHeartbeat<OpenStream>({
    everyMs: config.KEEPALIVE_MS,
    beat: ({ connection }) => connection.send(keepalive),
  });
  const pings = startHeartbeat<OpenStream>({
    everyMs: config.STREAM_PING_MS,
    beat({ connection, following }) {
      const head = following.positionId();
      connection.send(
        Buffer.from(encodeSseEvent({ id: head, event: "ping", data: JSON.stringify({ head }) })),
      );
    },
  });
  new Gauge({
    name: "localstreet_streams_open",
    help: "Event streams that are open",
    registers: [kit.metrics],
    collect() {
      this.set(streams.size);
    },
  });
  const expiries = setInterval(() => {
    const nowMs = Date.now();
    for (const { connection, expiresAtMs } of streams) {
      if (expiresAtMs <= nowMs) connection.end(encodeStreamError(new Problem("token-expired")));
    }
  }, EXPIRY_CHECK_MS);

  function retryMs(): number {
    const { RETRY_MIN_MS, RETRY_MAX_MS } = config;
    return Math.round(RETRY_MIN_MS + Math.random() * Math.max(0, RETRY_MAX_MS - RETRY_MIN_MS));
  }

  function goAway(connection: SseConnection): void {
    const retryAfterMs = retryMs();
    connection.end(
      Buffer.from(
        encodeSseEvent({
          retryMs: retryAfterMs,
          event: "goaway",
          data: JSON.stringify({ retryAfterMs }),
        }),
      ),
    );
  }

  return {
    retryMs,
    goAway,
    add(stream) {
      streams.add(stream);
      keepalives.add(stream);
      pings.add(stream);
    },
    delete(stream) {
      streams.delete(stream);
      keepalives.delete(stream);
      pings.delete(stream);
    },
    async drain(windowMs) {
      const leaving = [...streams];
      await spreadOver(windowMs, leaving, ({ connection }) => goAway(connection));
      await Promise.all(leaving.map(({ connection }) => connection.closed));
    },
    close() {
      keepalives.stop();
      pings.stop();
      clearInterval(expiries);
    },
  };
}

/** `error`, as the last event of a stream. */
export function encodeStreamError(problem: Problem): Buffer {
  const { code, message, retryable } = problem;
  return Buffer.from(
    encodeSseEvent({ event: "error", data: JSON.stringify({ code, message, retryable }) }),
  );
}

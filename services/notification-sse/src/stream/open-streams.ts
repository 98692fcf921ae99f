import type { ServerResponse } from "node:http";
import type { Following } from "@localstreet/bus/subject-feed";
import { userConnections } from "@localstreet/contracts/keys";
import { Problem } from "@localstreet/contracts/problem";
import { encodeSseEvent, SSE_KEEPALIVE } from "@localstreet/contracts/sse";
import type { StreamTokenExpiring } from "@localstreet/contracts/vendor-events";
import { startHeartbeat } from "@localstreet/fanout/heartbeat";
import { openSseConnection, type SseConnection } from "@localstreet/fanout/sse-connection";
import type { Principal } from "@localstreet/service-kit/auth";
import { connectionAgeMs } from "@localstreet/service-kit/connection-age";
import type { ConnectionLeases } from "@localstreet/service-kit/connection-leases";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { spreadOver } from "@localstreet/service-kit/spread-over";
import { Counter, Gauge } from "prom-client";
import type { NotificationConfig } from "../config.ts";

/** A stream that is open, for what concerns all of them: beats, its token, its age, the drain. */
export interface OpenStream {
  readonly connection: SseConnection;
  readonly principal: Principal;
  /** When it has reached its age, by the clock of `performance`. */
  readonly oldAtMs: number;
  following: Following | null;
  expiryTold: boolean;
}

export interface OpenStreams {
  /**
   * Answers with a stream, held until its history is out, and looks after it until it has closed. It is one of the
   * connections that the person may have (PROTOCOL.md E9).
   *
   * @throws {Problem} `too-many-connections`, `draining`, or `invalid-request` when the client is gone already.
   */
  open(response: ServerResponse, principal: Principal): Promise<OpenStream>;
  /** The stream follows its vendor: pings tell where it stands, and its end is the end of following. */
  follow(stream: OpenStream, following: Following): void;
  /** Sends `goaway` and ends the stream (PROTOCOL.md S10); with an id, the client resumes from that one. */
  goAway(connection: SseConnection, resumeFrom?: string): void;
  /** Sends all away, spread over `windowMs` milliseconds, and resolves when the last connection has closed. */
  drain(windowMs: number): Promise<void>;
  close(): void;
}

const SWEEP_MS = 500;
const keepalive = Buffer.from(SSE_KEEPALIVE);

export function openStreams(
  kit: ServiceKit<NotificationConfig>,
  leases: ConnectionLeases,
): OpenStreams {
  const { authenticator, config } = kit;
  const streams = new Set<OpenStream>();
  const keepalives = startHeartbeat<OpenStream>({
    everyMs: config.KEEPALIVE_MS,
    beat: ({ connection }) => connection.send(keepalive),
  });
  const pings = startHeartbeat<OpenStream>({
    everyMs: config.STREAM_PING_MS,
    beat({ connection, following }) {
      const head = following?.positionId();
      if (head === undefined) return;
      connection.send(
        Buffer.from(encodeSseEvent({ id: head, event: "ping", data: JSON.stringify({ head }) })),
      );
    },
  });
  const cut = new Counter({
    name: "localstreet_streams_cut_total",
    help: "Streams whose reader left more unread than the limit",
    registers: [kit.metrics],
  });
  // One for all streams.
  const onOverflow = () => cut.inc();
  new Gauge({
    name: "localstreet_streams_open",
    help: "Event streams that are open",
    registers: [kit.metrics],
    collect() {
      this.set(streams.size);
    },
  });
  const sweeper = setInterval(() => {
    const nowMs = performance.now();
    const wallMs = Date.now();
    for (const stream of streams) sweep(stream, nowMs, wallMs);
  }, SWEEP_MS);

  function sweep(stream: OpenStream, nowMs: number, wallMs: number): void {
    const { connection, principal } = stream;
    const leftMs = principal.expiresAtMs - wallMs;
    if (leftMs <= 0) connection.end(encodeStreamError(new Problem("token-expired")));
    else if (authenticator.isRevoked(principal)) {
      connection.end(encodeStreamError(new Problem("token-revoked")));
    } else if (nowMs >= stream.oldAtMs) goAway(connection);
    else if (leftMs <= config.TOKEN_EXPIRING_MS && !stream.expiryTold) {
      stream.expiryTold = true;
      const data: StreamTokenExpiring = {
        expiresAt: new Date(principal.expiresAtMs).toISOString(),
      };
      connection.send(
        Buffer.from(encodeSseEvent({ event: "token-expiring", data: JSON.stringify(data) })),
      );
    }
  }

  /** A `retry:` of its own for each connection, so that those that break together do not come back together. */
  function retryMs(): number {
    const { RETRY_MIN_MS, RETRY_MAX_MS } = config;
    return Math.round(RETRY_MIN_MS + Math.random() * Math.max(0, RETRY_MAX_MS - RETRY_MIN_MS));
  }

  function goAway(connection: SseConnection, resumeFrom?: string): void {
    const retryAfterMs = retryMs();
    connection.end(
      Buffer.from(
        encodeSseEvent({
          ...(resumeFrom === undefined ? {} : { id: resumeFrom }),
          retryMs: retryAfterMs,
          event: "goaway",
          data: JSON.stringify({ retryAfterMs }),
        }),
      ),
    );
  }

  function connect(response: ServerResponse): SseConnection {
    // Both may have happened while the token and the number of connections were looked up.
    if (kit.isDraining()) throw new Problem("draining");
    if (response.destroyed) throw new Problem("invalid-request", "The client is gone");
    return openSseConnection(response, {
      outboxBytes: config.OUTBOX_BYTES,
      firstBytes: encodeSseEvent({ retryMs: retryMs() }),
      onOverflow,
    });
  }

  function forget(stream: OpenStream): void {
    stream.following?.stop();
    streams.delete(stream);
    keepalives.delete(stream);
    pings.delete(stream);
    leases.release(userConnections(stream.principal.personId));
  }

  return {
    goAway,
    async open(response, principal) {
      const connections = userConnections(principal.personId);
      const verdict = await leases.acquire(connections, config.CONNECTIONS_PER_USER);
      if (verdict === "too-many") throw new Problem("too-many-connections");
      let connection: SseConnection;
      try {
        connection = connect(response);
      } catch (error) {
        leases.release(connections);
        throw error;
      }
      const stream: OpenStream = {
        connection,
        principal,
        oldAtMs: performance.now() + connectionAgeMs(config),
        following: null,
        expiryTold: false,
      };
      streams.add(stream);
      keepalives.add(stream);
      connection.onClosed(() => forget(stream));
      return stream;
    },
    follow(stream, following) {
      if (!streams.has(stream)) return following.stop();
      stream.following = following;
      pings.add(stream);
    },
    async drain(windowMs) {
      const leaving = [...streams];
      await spreadOver(windowMs, leaving, ({ connection }) => goAway(connection));
      await Promise.all(leaving.map(({ connection }) => connection.closed));
    },
    close() {
      keepalives.stop();
      pings.stop();
      clearInterval(sweeper);
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

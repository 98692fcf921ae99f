import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import websocket from "@fastify/websocket";
import type { Role } from "@localstreet/contracts/auth";
import type { authenticateFrameSchema } from "@localstreet/contracts/chat";
import { CLOSE, type CloseCode } from "@localstreet/contracts/close-codes";
import { invalidRequest, Problem } from "@localstreet/contracts/problem";
import {
  encodeTextFrame,
  openWsConnection,
  type WsConnection,
} from "@localstreet/fanout/ws-connection";
import { Counter, Gauge } from "prom-client";
import type { RawData, WebSocket } from "ws";
import type { z } from "zod";
import type { Principal } from "./auth.ts";
import type { CommonConfig, SocketConfig } from "./config.ts";
import { problemOf, REPLICA_HEADER } from "./http.ts";
import { createRateLimiter } from "./rate-limit.ts";
import type { ServiceKit } from "./service.ts";

/** One authenticated WebSocket. `Data` is the service's own state of it. */
export interface SocketSession<Data> {
  readonly sessionId: string;
  /** Replaced when the client authenticates again; the person stays the same. */
  readonly principal: Principal;
  readonly connection: WsConnection;
  readonly data: Data;
  /** A frame for this socket alone; what goes to many is encoded once and sent through `connection`. */
  send(frame: object): void;
}

export interface SocketRoute {
  /** Tells every client to go, spread over `windowMs` milliseconds, and resolves when the last was told. */
  drain(windowMs: number): Promise<void>;
  close(): void;
}

type AuthenticateFrame = z.infer<typeof authenticateFrameSchema>;
type ClientFrame = { type: string; ref?: number | undefined };

/** Frames of one session that wait for the one being handled; past it the socket is not read. */
const WAITING_FRAMES = 32;
/** Frames over the rate that are answered; then the connection is closed with 4429. */
const REFUSED_FRAMES = 100;
/** How long before the end of its token a client is told (PROTOCOL.md A7), in milliseconds. */
const EXPIRY_NOTICE_MS = 60_000;
/** One timer looks after all sessions of a route, in milliseconds. */
const SWEEP_MS = 500;
const RECONNECT_SPREAD_MS = 5_000;

/**
 * A WebSocket route with everything that chat and tracking do alike: authentication at the upgrade or by the first
 * frame (PROTOCOL.md A4), the end of a token (A7), checked frames (E2), liveness and closes (E3, E4).
 *
 * `onFrame` handles one frame of a session at a time, in order. A `Problem` that it throws, and an error that calls
 * itself `retryable`, is answered under the frame's `ref`; any other error is logged and answered as `internal`.
 */
export async function registerSocketRoute<F extends ClientFrame, Data>(
  kit: ServiceKit<CommonConfig & SocketConfig>,
  route: {
    path: string;
    roles: readonly Role[];
    /** All frames of a client, `authenticate` among them. */
    frameSchema: z.ZodType<F>;
    /** Once per socket, when it has authenticated and before its first frame. */
    onOpen(session: Omit<SocketSession<Data>, "data">): Data;
    onFrame(
      session: SocketSession<Data>,
      frame: Exclude<F, { type: "authenticate" }>,
    ): Promise<void> | void;
    /** Once per socket for which `onOpen` ran. */
    onClose(session: SocketSession<Data>): void;
  },
): Promise<SocketRoute> {
  const { config, http, logger, authenticator } = kit;
  const labels = { path: route.path };
  const open = new Gauge({
    name: "localstreet_sockets_open",
    help: "WebSockets that are open",
    labelNames: ["path"],
    registers: [kit.metrics],
  });
  const closes = new Counter({
    name: "localstreet_socket_closes_total",
    help: "WebSockets closed by the server, by close code",
    labelNames: ["path", "code"],
    registers: [kit.metrics],
  });

  class Session implements SocketSession<Data> {
    readonly sessionId = randomUUID();
    readonly connection: WsConnection;
    readonly #socket: WebSocket;
    readonly #openedAtMs = performance.now();
    #principal: Principal | undefined;
    #data: { value: Data } | undefined;
    #waiting: string[] = [];
    #busy = false;
    #closing = false;
    #limiter = createRateLimiter({
      perSecond: config.FRAMES_PER_SECOND,
      burst: config.FRAMES_PER_SECOND * 2,
      maxKeys: 1,
    });
    #refused = 0;
    #pingSentAtMs = performance.now();
    #pongDue = false;
    #expiryTold = false;

    constructor(socket: WebSocket, rawSocket: Socket, principal: Principal | undefined) {
      this.#socket = socket;
      this.connection = openWsConnection(socket, rawSocket, {
        outboxBytes: config.OUTBOX_BYTES,
        onOverflow: () => this.end(CLOSE.slowReader, "too slow to read"),
      });
      socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
      socket.on("pong", () => {
        this.#pongDue = false;
      });
      socket.on("error", (error) => logger.debug({ err: error }, "socket error"));
      socket.on("close", () => this.#closed());
      sessions.add(this);
      open.inc(labels);
      if (principal) this.#admit(principal);
    }

    get principal(): Principal {
      if (!this.#principal) throw new Error("not authenticated yet");
      return this.#principal;
    }

    get data(): Data {
      if (!this.#data) throw new Error("not authenticated yet");
      return this.#data.value;
    }

    send(frame: object): void {
      this.connection.send(encodeTextFrame(JSON.stringify(frame)));
    }

    /** `goaway`, what is queued before it, and the close. */
    end(code: CloseCode, reason: string): void {
      if (this.#closing) return;
      this.#closing = true;
      closes.inc({ ...labels, code: String(code) });
      const reconnect = code !== CLOSE.forbidden && code !== CLOSE.malformed;
      const retryAfterMs = Math.round(Math.random() * RECONNECT_SPREAD_MS);
      // A reader that is too slow for its frames would not read this one either.
      if (code !== CLOSE.slowReader) {
        this.send({ type: "goaway", code, reason, reconnect, retryAfterMs });
      }
      this.connection.close(code, reason);
    }

    /** Looks after deadlines: of authentication, of the token, of the answer to a ping. */
    sweep(nowMs: number, wallMs: number): void {
      if (this.#closing) return;
      if (!this.#principal) {
        if (nowMs - this.#openedAtMs > config.AUTHENTICATE_MS) {
          this.end(CLOSE.timeout, "did not authenticate in time");
        }
        return;
      }
      const leftMs = this.#principal.expiresAtMs - wallMs;
      if (leftMs <= 0) {
        this.end(CLOSE.unauthenticated, "the token has expired");
        return;
      }
      if (leftMs <= EXPIRY_NOTICE_MS && !this.#expiryTold) {
        this.#expiryTold = true;
        this.send({ type: "token-expiring", expiresAt: isoTime(this.#principal.expiresAtMs) });
      }
      const sincePingMs = nowMs - this.#pingSentAtMs;
      if (this.#pongDue && sincePingMs > config.PONG_TIMEOUT_MS) {
        this.end(CLOSE.timeout, "did not answer pings");
        return;
      }
      if (!this.#pongDue && sincePingMs >= config.PING_INTERVAL_MS) {
        this.#pingSentAtMs = nowMs;
        this.#pongDue = true;
        this.#socket.ping();
      }
    }

    #admit(principal: Principal, ref?: number): void {
      this.#principal = principal;
      this.#expiryTold = false;
      this.#data ??= { value: route.onOpen(this) };
      this.send({
        type: "authenticated",
        ...(ref === undefined ? {} : { ref }),
        userId: principal.personId,
        expiresAt: isoTime(principal.expiresAtMs),
        pingIntervalMs: config.PING_INTERVAL_MS,
      });
    }

    #receive(data: RawData, isBinary: boolean): void {
      if (this.#closing) return;
      if (isBinary) {
        this.end(CLOSE.malformed, "frames are JSON text");
        return;
      }
      const verdict = this.#limiter.take("");
      if (!verdict.ok) {
        this.#refused += 1;
        if (this.#refused > REFUSED_FRAMES) {
          this.end(CLOSE.tooMany, "too many frames");
          return;
        }
        this.#answer(
          new Problem("rate-limited", undefined, { retryAfterMs: verdict.retryAfterMs }),
        );
        return;
      }
      this.#waiting.push(String(data));
      if (this.#waiting.length >= WAITING_FRAMES) this.#socket.pause();
      if (!this.#busy) void this.#work();
    }

    async #work(): Promise<void> {
      this.#busy = true;
      for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
        if (this.#socket.isPaused && this.#waiting.length === 0) this.#socket.resume();
        if (!this.#closing) await this.#handle(text);
      }
      this.#busy = false;
    }

    async #handle(text: string): Promise<void> {
      let ref: number | undefined;
      try {
        const value = parseJson(text);
        ref = refOf(value);
        const result = route.frameSchema.safeParse(value);
        if (!result.success) {
          const unknownType = result.error.issues.some((issue) => issue.code === "invalid_union");
          throw unknownType
            ? new Problem("unknown-type")
            : invalidRequest(result.error, "The frame");
        }
        const frame: F = result.data;
        if (isAuthenticate(frame)) return await this.#authenticate(frame);
        if (!this.#principal) {
          this.end(CLOSE.unauthenticated, "authenticate first");
          return;
        }
        await route.onFrame(this, frame as Exclude<F, { type: "authenticate" }>);
      } catch (error) {
        const problem = problemOf(error);
        if (problem.code === "internal") logger.error({ err: error }, "frame failed");
        this.#answer(problem, ref);
      }
    }

    async #authenticate(frame: AuthenticateFrame): Promise<void> {
      let principal: Principal;
      try {
        principal = await authenticator.verifyToken(frame.token);
      } catch (error) {
        this.#answer(problemOf(error), frame.ref);
        this.end(CLOSE.unauthenticated, "the token was refused");
        return;
      }
      if (!route.roles.includes(principal.role)) {
        this.end(CLOSE.forbidden, "this role may not connect");
        return;
      }
      const before = this.#principal;
      if (before && (before.personId !== principal.personId || before.role !== principal.role)) {
        throw new Problem("forbidden", "Another person needs another connection");
      }
      this.#admit(principal, frame.ref);
    }

    #answer(problem: Problem, ref?: number): void {
      this.send({
        type: "error",
        ...(ref === undefined ? {} : { ref }),
        code: problem.code,
        message: problem.message,
        retryable: problem.retryable,
        ...(problem.retryAfterMs === undefined ? {} : { retryAfterMs: problem.retryAfterMs }),
      });
    }

    #closed(): void {
      this.#closing = true;
      this.#waiting = [];
      sessions.delete(this);
      open.dec(labels);
      if (this.#data) route.onClose(this);
    }
  }

  const sessions = new Set<Session>();
  const sweeper = setInterval(() => {
    const nowMs = performance.now();
    const wallMs = Date.now();
    for (const session of sessions) session.sweep(nowMs, wallMs);
  }, SWEEP_MS);

  await http.register(websocket, {
    options: {
      maxPayload: config.FRAME_BYTES,
      // Compression costs memory per connection and is how a few bytes become many megabytes.
      perMessageDeflate: false,
    },
    // The sessions are told to go by `drain`; the plugin would close them without a code.
    preClose: (done: () => void) => done(),
    errorHandler: (error) => logger.debug({ err: error }, "socket error"),
  });
  http.websocketServer.on("headers", (headers: string[]) => {
    headers.push(`${REPLICA_HEADER}: ${kit.replica}`);
  });
  const admitted = new WeakMap<object, Principal>();
  http.get(
    route.path,
    {
      websocket: true,
      preValidation: async (request) => {
        if (kit.isDraining()) throw new Problem("draining");
        const found = authenticator.tokenOf(request.headers);
        if (found.from === "foreign-cookie") throw new Problem("forbidden", "Foreign origin");
        if (found.from === "nowhere") return;
        admitted.set(request, await authenticator.authenticate(request, ...route.roles));
      },
    },
    (socket, request) => {
      // No await before the session listens, or the first frames would be lost.
      new Session(socket, request.raw.socket, admitted.get(request));
    },
  );

  return {
    async drain(windowMs) {
      const leaving = [...sessions];
      const startMs = performance.now();
      for (const [index, session] of leaving.entries()) {
        const dueMs = startMs + (windowMs * index) / leaving.length;
        const waitMs = dueMs - performance.now();
        if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
        session.end(CLOSE.goingAway, "draining");
      }
      await Promise.all(leaving.map((session) => session.connection.closed));
    },
    close() {
      clearInterval(sweeper);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("invalid-request", "The frame is not JSON");
  }
}

function refOf(value: unknown): number | undefined {
  const ref = typeof value === "object" && value !== null && "ref" in value ? value.ref : undefined;
  return typeof ref === "number" && Number.isSafeInteger(ref) && ref >= 0 ? ref : undefined;
}

function isAuthenticate(frame: ClientFrame): frame is AuthenticateFrame {
  return frame.type === "authenticate";
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { Role } from "@localstreet/contracts/auth";
import type { authenticateFrameSchema } from "@localstreet/contracts/chat";
import { CLOSE, type CloseCode } from "@localstreet/contracts/close-codes";
import { type ConnectionSubject, userConnections } from "@localstreet/contracts/keys";
import { invalidRequest, Problem } from "@localstreet/contracts/problem";
import {
  encodeTextFrame,
  openWsConnection,
  type WsConnection,
} from "@localstreet/fanout/ws-connection";
import type { RawData, WebSocket } from "ws";
import type { z } from "zod";
import type { Principal } from "./auth.ts";
import type { CommonConfig, SocketConfig } from "./config.ts";
import { connectionAgeMs } from "./connection-age.ts";
import type { ConnectionLeases } from "./connection-leases.ts";
import { problemOf } from "./http.ts";
import { type Rate, TokenBucket } from "./rate-limit.ts";
import type { ServiceKit } from "./service.ts";
import type { SharedRate } from "./shared-rate.ts";

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

/** What a service does with its sockets. */
export interface SocketHandlers<F extends ClientFrame, Data> {
  readonly roles: readonly Role[];
  /** All frames of a client, `authenticate` among them. */
  readonly frameSchema: z.ZodType<F>;
  /** Once per socket, when it has authenticated and before its first frame. */
  onOpen(session: Omit<SocketSession<Data>, "data">): Data;
  onFrame(
    session: SocketSession<Data>,
    frame: Exclude<F, { type: "authenticate" }>,
  ): Promise<void> | void;
  /** The client has authenticated again: `session.principal` may have other vendors than before. */
  onRenew?(session: SocketSession<Data>): void;
  /** Once per socket for which `onOpen` ran. */
  onClose(session: SocketSession<Data>): void;
}

export interface SocketContext<F extends ClientFrame, Data> extends SocketHandlers<F, Data> {
  readonly kit: ServiceKit<CommonConfig & SocketConfig>;
  readonly leases: ConnectionLeases;
  /** Of the sockets that one person opens. */
  readonly openings: SharedRate;
  /** Of the frames of one socket. */
  readonly frameRate: Rate;
  /** The server closes a socket, for whatever reason. */
  onEnd(code: CloseCode): void;
}

export type ClientFrame = { type: string; ref?: number | undefined };
type AuthenticateFrame = z.infer<typeof authenticateFrameSchema>;

/** Frames of one session that wait for the one being handled; past it the socket is not read. */
const WAITING_FRAMES = 32;
/** Frames over the rate that are answered; then the connection is closed with 4429. */
const REFUSED_FRAMES = 100;
/** A client that was not over the rate for this long is no flooder, in milliseconds. */
const FORGIVEN_AFTER_MS = 10_000;
const RECONNECT_SPREAD_MS = 5_000;

/** A socket of a route, from its upgrade to its close. */
export class OpenSocket<F extends ClientFrame, Data> implements SocketSession<Data> {
  readonly sessionId = randomBytes(12).toString("base64url");
  readonly connection: WsConnection;
  readonly #route: SocketContext<F, Data>;
  readonly #socket: WebSocket;
  readonly #openedAtMs = performance.now();
  readonly #oldAtMs: number;
  #principal: Principal | undefined;
  #data: { value: Data } | undefined;
  /** Where this connection is counted, once it is. */
  #countedAs: ConnectionSubject | undefined;
  #waiting: string[] = [];
  #busy = false;
  #closing = false;
  readonly #frames: TokenBucket;
  #refused = 0;
  #refusedAtMs = 0;
  #pingSentAtMs = performance.now();
  #pongDue = false;
  #expiryTold = false;

  constructor(
    route: SocketContext<F, Data>,
    socket: WebSocket,
    rawSocket: Socket,
    principal: Principal | undefined,
  ) {
    const { config, logger } = route.kit;
    this.#route = route;
    this.#socket = socket;
    this.#oldAtMs = this.#openedAtMs + connectionAgeMs(config);
    this.#frames = new TokenBucket(route.frameRate, this.#openedAtMs);
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
    if (principal) this.#goOn(this.#enter(principal));
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

  /** `goaway`, what is queued before it, and the close. The client comes back after `atLeastMs` or up to 5 s later. */
  end(code: CloseCode, reason: string, atLeastMs = 0): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#route.onEnd(code);
    const reconnect = code !== CLOSE.forbidden && code !== CLOSE.malformed;
    const retryAfterMs = Math.round(atLeastMs + Math.random() * RECONNECT_SPREAD_MS);
    // A reader that is too slow for its frames would not read this one either.
    if (code !== CLOSE.slowReader) {
      this.send({ type: "goaway", code, reason, reconnect, retryAfterMs });
    }
    this.connection.close(code, reason);
  }

  /** An error of ours: it is logged, and ends this socket and no other. */
  fail(error: unknown): void {
    this.#route.kit.logger.error({ err: error }, "socket failed");
    this.end(CLOSE.internal, "internal error");
  }

  /** Work of this socket that nobody waits for. */
  #goOn(work: Promise<void>): void {
    work.catch((error) => this.fail(error));
  }

  /** Looks after the token, which may end or be revoked, and deadlines: to authenticate, of age, to answer a ping. */
  sweep(nowMs: number, wallMs: number): void {
    const { config, authenticator } = this.#route.kit;
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
    if (authenticator.isRevoked(this.#principal)) {
      this.end(CLOSE.unauthenticated, "the token was revoked");
      return;
    }
    if (nowMs >= this.#oldAtMs) {
      this.end(CLOSE.goingAway, "past its age");
      return;
    }
    if (leftMs <= config.TOKEN_EXPIRING_MS && !this.#expiryTold) {
      this.#expiryTold = true;
      this.send({ type: "token-expiring", expiresAt: isoTime(this.#principal.expiresAtMs) });
    }
    if (this.#socket.isPaused) {
      // It is we who do not read: a pong would not be seen.
      this.#pingSentAtMs = nowMs;
      this.#pongDue = false;
      return;
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

  /** The person was known at the upgrade: frames that come meanwhile wait. */
  async #enter(principal: Principal): Promise<void> {
    this.#busy = true;
    await this.#admit(principal);
    await this.#work();
  }

  async #admit(principal: Principal, ref?: number): Promise<void> {
    if (!this.#data && !(await this.#isCounted(principal, ref))) return;
    this.#principal = principal;
    this.#expiryTold = false;
    if (this.#data) this.#route.onRenew?.(this);
    else this.#data = { value: this.#route.onOpen(this) };
    this.send({
      type: "authenticated",
      ...(ref === undefined ? {} : { ref }),
      userId: principal.personId,
      expiresAt: isoTime(principal.expiresAtMs),
      pingIntervalMs: this.#route.kit.config.PING_INTERVAL_MS,
    });
  }

  /** Whether the person may open this connection (PROTOCOL.md E9, E20); if not, it is ended. */
  async #isCounted({ personId }: Principal, ref: number | undefined): Promise<boolean> {
    const { kit, leases, openings } = this.#route;
    const opening = await openings.take(personId);
    if (!opening.ok) {
      if (this.#closing) return false;
      const { retryAfterMs } = opening;
      this.#answer(new Problem("rate-limited", undefined, { retryAfterMs }), ref);
      this.end(CLOSE.tooMany, "opened too often", retryAfterMs);
      return false;
    }
    const connections = userConnections(personId);
    const verdict = await leases.acquire(connections, kit.config.CONNECTIONS_PER_USER);
    if (verdict === "too-many") {
      if (this.#closing) return false;
      this.#answer(new Problem("too-many-connections"), ref);
      this.end(CLOSE.tooMany, "too many connections");
      return false;
    }
    if (this.#closing) {
      leases.release(connections);
      return false;
    }
    this.#countedAs = connections;
    return true;
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#closing) return;
    if (isBinary) {
      this.end(CLOSE.malformed, "frames are JSON text");
      return;
    }
    const nowMs = performance.now();
    const verdict = this.#frames.take(this.#route.frameRate, nowMs);
    if (!verdict.ok) {
      if (nowMs - this.#refusedAtMs > FORGIVEN_AFTER_MS) this.#refused = 0;
      this.#refusedAtMs = nowMs;
      this.#refused += 1;
      if (this.#refused > REFUSED_FRAMES) {
        this.end(CLOSE.tooMany, "too many frames");
        return;
      }
      const problem = new Problem("rate-limited", undefined, {
        retryAfterMs: verdict.retryAfterMs,
      });
      this.#answer(problem, refIn(String(data)));
      return;
    }
    this.#waiting.push(String(data));
    if (this.#waiting.length >= WAITING_FRAMES) this.#socket.pause();
    if (!this.#busy) this.#goOn(this.#work());
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
      const result = this.#route.frameSchema.safeParse(value);
      if (!result.success) {
        const unknownType = result.error.issues.some((issue) => issue.code === "invalid_union");
        throw unknownType ? new Problem("unknown-type") : invalidRequest(result.error, "The frame");
      }
      const frame: F = result.data;
      if (isAuthenticate(frame)) return await this.#authenticate(frame);
      if (!this.#principal) {
        this.end(CLOSE.unauthenticated, "authenticate first");
        return;
      }
      await this.#route.onFrame(this, frame as Exclude<F, { type: "authenticate" }>);
    } catch (error) {
      const problem = problemOf(error);
      if (problem.code === "internal") this.#route.kit.logger.error({ err: error }, "frame failed");
      this.#answer(problem, ref);
    }
  }

  async #authenticate(frame: AuthenticateFrame): Promise<void> {
    let principal: Principal;
    try {
      principal = await this.#route.kit.authenticator.verifyToken(frame.token);
    } catch (error) {
      const problem = problemOf(error);
      this.#answer(problem, frame.ref);
      if (!problem.retryable) this.end(CLOSE.unauthenticated, "the token was refused");
      else if (!this.#principal) this.end(CLOSE.timeout, "the token could not be checked");
      return;
    }
    if (!this.#route.roles.includes(principal.role)) {
      this.end(CLOSE.forbidden, "this role may not connect");
      return;
    }
    const before = this.#principal;
    if (before && (before.personId !== principal.personId || before.role !== principal.role)) {
      throw new Problem("forbidden", "Another person needs another connection");
    }
    try {
      await this.#admit(principal, frame.ref);
    } catch (error) {
      // Half let in, it would be neither a stranger nor served.
      this.fail(error);
    }
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
    if (this.#countedAs !== undefined) this.#route.leases.release(this.#countedAs);
    if (this.#data) this.#route.onClose(this);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("invalid-request", "The frame is not JSON");
  }
}

function refIn(text: string): number | undefined {
  try {
    return refOf(JSON.parse(text));
  } catch {
    return undefined;
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

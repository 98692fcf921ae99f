import { orAborted } from "./abortable.ts";
import type { ConnectionState } from "./connection-state.ts";
import { type ConnectionEnd, callOut, keepConnected, lostBy } from "./keep-connected.ts";
import { type OpenConnection, openSocketConnection } from "./socket-connection.ts";
import { SocketError } from "./socket-error.ts";
import {
  type PushFrame,
  REPLY_TYPES,
  type ReplyFrame,
  type RequestFrame,
  type RequestType,
} from "./socket-frames.ts";
import { askToken, isRenewable, type TokenSource } from "./token.ts";
import { findWebSocketClass, type WebSocketClass } from "./websocket-like.ts";

export { SocketError } from "./socket-error.ts";
export type { PushFrame, ReplyFrame, RequestFrame, RequestType } from "./socket-frames.ts";

/** What a server sent and this client could not read. */
export interface Unreadable {
  /** How many there were so far, over all connections. */
  readonly count: number;
  /** The type and the field that does not fit, as in `message: createdAt`; never a value. */
  readonly reason: string;
}

export interface SocketOptions {
  url: string;
  token: TokenSource;
  /** What the server sends of its own accord, each field of it checked. Types that are not known here are left out. */
  onFrame(frame: PushFrame): void;
  /** A frame that is not what its type promises: it is left out, and something may be missing. The connection goes on. */
  onUnreadable?: (unreadable: Unreadable) => void;
  /** At each `open` the application watches again and fetches what it missed: a new connection knows nothing. */
  onState?: (state: ConnectionState) => void;
  WebSocket?: WebSocketClass;
  /** For the answer to a frame. 10 s when absent. */
  replyTimeoutMs?: number;
  /** For the token, the connection and `authenticated` together. 15 s when absent. */
  connectTimeoutMs?: number;
  /** First and longest wait between attempts. 500 ms and 30 s when absent. */
  backoffMs?: { base: number; cap: number };
}

export interface Socket {
  readonly state: ConnectionState;
  /**
   * Sends one frame and resolves with its answer. Nothing is queued and nothing is sent twice: who sends again does so
   * under the same `clientMessageId`.
   *
   * @throws {SocketError} when the server refused it, when there is no connection, or when the answer is lost.
   */
  send<T extends RequestType>(frame: RequestFrame<T>): Promise<ReplyFrame<T>>;
  close(): void;
}

/**
 * A WebSocket that comes back by itself. It authenticates with its first frame (PROTOCOL.md A4), renews its token when
 * told that it ends (A7), obeys `goaway` and the close codes (E3, E4), and notices a connection that died silently.
 */
export function openSocket(options: SocketOptions): Socket {
  const WebSocket = findWebSocketClass(options.WebSocket);
  let current: OpenConnection | undefined;
  let unreadable = 0;

  async function connectOnce(closing: AbortSignal, opened: () => void): Promise<ConnectionEnd> {
    const attempt = new AbortController();
    const stop = () => attempt.abort(closing.reason);
    closing.addEventListener("abort", stop);
    const timer = setTimeout(
      () => attempt.abort(new Error("no answer in time")),
      options.connectTimeoutMs ?? 15_000,
    );
    try {
      const token = await orAborted(askToken(options.token), attempt.signal);
      const connection = openSocketConnection({
        socket: new WebSocket(options.url),
        token,
        signal: attempt.signal,
        replyTimeoutMs: options.replyTimeoutMs ?? 10_000,
        renewToken: isRenewable(options.token) ? () => askToken(options.token) : undefined,
        onAuthenticated() {
          clearTimeout(timer);
          current = connection;
          opened();
        },
        onPush: (frame) => callOut(options.onFrame, frame),
        onUnreadable(reason) {
          unreadable += 1;
          if (options.onUnreadable) callOut(options.onUnreadable, { count: unreadable, reason });
        },
      });
      return await connection.ended;
    } catch (error) {
      return lostBy(attempt.signal.aborted ? attempt.signal.reason : error);
    } finally {
      current = undefined;
      clearTimeout(timer);
      closing.removeEventListener("abort", stop);
    }
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
    async send<T extends RequestType>(frame: RequestFrame<T>): Promise<ReplyFrame<T>> {
      if (!current) throw new SocketError("not-connected", "there is no connection", true);
      // `request` has looked at its type.
      return (await current.request(frame, REPLY_TYPES[frame.type])) as ReplyFrame<T>;
    },
    close: kept.close,
  };
}

import WebSocket from "ws";
import { createArrivals } from "./arrivals.ts";
import { within } from "./wait.ts";

/** A frame of the server, parsed. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at frames that a schema may refuse.
export type ServerFrame = any;

export interface SocketClient {
  /** Objects go as JSON text, strings as they are, buffers as binary frames. */
  send(frame: object | string | Buffer): void;
  readonly frames: readonly ServerFrame[];
  next(matches?: (frame: ServerFrame) => boolean, timeoutMs?: number): Promise<ServerFrame>;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Headers of the upgrade's answer. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The socket itself, for tests that stop reading or break the connection. */
  readonly socket: WebSocket;
  close(code?: number, reason?: string): void;
}

/** An upgrade that was answered with something else. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`the upgrade was answered with ${status}: ${body}`);
    this.status = status;
    this.body = body;
  }
}

/** How long a server may take for `authenticated`, in milliseconds. */
const AUTHENTICATED_MS = 10_000;

/**
 * Opens a WebSocket. Frames are kept from the first byte on. With a `token` it is authenticated once this resolves, so
 * that it is sent whatever happens from then on; or the server has closed it, and `frames` say why.
 *
 * @throws {UpgradeRefused} when the server answers the upgrade with an HTTP status.
 * @throws when a `token` is answered with neither.
 */
export async function openSocket(
  url: string | URL,
  options: { token?: string; headers?: Record<string, string>; origin?: string } = {},
): Promise<SocketClient> {
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    handshakeTimeout: 10_000,
    headers: {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    ...(options.origin === undefined ? {} : { origin: options.origin }),
  });
  const arrivals = createArrivals<ServerFrame>(`socket ${url}`);
  let headers: SocketClient["headers"] = {};
  const authenticated = new Promise<void>((resolve) => {
    socket.on("message", (data) => {
      const frame: ServerFrame = JSON.parse(String(data));
      arrivals.push(frame);
      if (frame?.type === "authenticated") resolve();
    });
  });
  socket.on("upgrade", (response) => {
    headers = response.headers;
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => {
      arrivals.end(`closed with ${code} ${reason}`);
      resolve({ code, reason: String(reason) });
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.on("error", reject);
    socket.once("unexpected-response", (request, response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => {
        request.destroy();
        reject(new UpgradeRefused(response.statusCode ?? 0, body));
      });
    });
  });
  if (options.token !== undefined) {
    await within(AUTHENTICATED_MS, Promise.race([authenticated, closed]), () => {
      socket.terminate();
      return `${url} answered the token with neither \`authenticated\` nor a close`;
    });
  }
  return {
    send(frame) {
      const isRaw = typeof frame === "string" || Buffer.isBuffer(frame);
      socket.send(isRaw ? frame : JSON.stringify(frame));
    },
    frames: arrivals.all,
    next: arrivals.next,
    closed,
    headers,
    socket,
    close: (code = 1000, reason = "") => socket.close(code, reason),
  };
}

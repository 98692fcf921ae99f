import { type ConnectionEnd, lostBy } from "./keep-connected.ts";
import { PendingReplies } from "./pending-replies.ts";
import { endOfClose, type Goaway } from "./socket-end.ts";
import { SocketError } from "./socket-error.ts";
import type { PushFrame, ServerFrame } from "./socket-frames.ts";
import type { WebSocketLike } from "./websocket-like.ts";

export interface OpenConnection {
  request(frame: { type: string }): Promise<ServerFrame>;
  /** Never rejects. */
  readonly ended: Promise<ConnectionEnd>;
}

/** The server's limit (PROTOCOL.md E6): a larger frame would cost the connection, so it is not sent. */
const MAX_FRAME_BYTES = 16 * 1024;

/** One WebSocket from its authentication to its end. It ends when `signal` aborts, whatever the network says. */
export function openSocketConnection(options: {
  socket: WebSocketLike;
  token: string;
  signal: AbortSignal;
  replyTimeoutMs: number;
  renewToken: (() => Promise<string>) | undefined;
  /** Once. */
  onAuthenticated(): void;
  onPush(frame: PushFrame): void;
}): OpenConnection {
  const { socket, signal, replyTimeoutMs } = options;
  const pending = new PendingReplies();
  let token = options.token;
  let goaway: Goaway | undefined;
  let authenticated = false;
  let over = false;
  let quietMs = 25_000;
  let quietTimer: ReturnType<typeof setTimeout> | undefined;
  let resolveEnded: (end: ConnectionEnd) => void = () => {};
  const ended = new Promise<ConnectionEnd>((resolve) => {
    resolveEnded = resolve;
  });

  function finish(end: ConnectionEnd): void {
    if (over) return;
    over = true;
    clearTimeout(quietTimer);
    signal.removeEventListener("abort", abandon);
    pending.rejectAll(new SocketError("connection-lost", "the connection was lost", true));
    // A dead network answers a close after a minute or never: nobody waits for that.
    socket.close();
    resolveEnded(end);
  }
  const abandon = () => finish(lostBy(signal.reason));

  async function request(frame: { type: string }): Promise<ServerFrame> {
    if (over) throw new SocketError("not-connected", "there is no connection", true);
    const { ref, reply } = pending.open(replyTimeoutMs);
    const text = JSON.stringify({ ...frame, ref });
    if (new TextEncoder().encode(text).length > MAX_FRAME_BYTES) {
      pending.settle(ref, {
        type: "error",
        code: "too-large",
        message: `a frame holds ${MAX_FRAME_BYTES} bytes at most`,
        retryable: false,
      });
    } else {
      socket.send(text);
    }
    return await reply;
  }

  async function authenticate(): Promise<void> {
    await request({ type: "authenticate", token } as { type: string });
  }

  async function renew(): Promise<void> {
    const renewed = await options.renewToken?.();
    // The same token again would be told to be expiring again, without end.
    if (renewed === undefined || renewed === token) return;
    token = renewed;
    await authenticate();
  }

  /** The server's pings are out of a browser's sight, so silence is broken by asking what the server always answers. */
  function expectFrames(): void {
    clearTimeout(quietTimer);
    quietTimer = setTimeout(() => {
      authenticate().catch((error: SocketError) => {
        if (error.code === "no-answer") finish({ kind: "lost", reason: "the server fell silent" });
      });
    }, quietMs);
  }

  function receive(data: unknown): void {
    if (over) return;
    const frame = parseFrame(data);
    if (!frame) return;
    if (authenticated) expectFrames();
    if (frame.type === "authenticated") {
      quietMs = frame.pingIntervalMs;
      if (!authenticated) {
        authenticated = true;
        expectFrames();
        options.onAuthenticated();
      }
    }
    if (frame.type === "goaway") goaway = frame;
    else if (frame.type === "token-expiring") renew().catch(() => {});
    else if ("ref" in frame && frame.ref !== undefined) pending.settle(frame.ref, frame);
    else if (isPush(frame)) options.onPush(frame);
  }

  socket.addEventListener("open", () => {
    // A refusal is followed by a close, which says more.
    authenticate().catch(() => {});
  });
  socket.addEventListener("message", (event) => receive(event.data));
  // A close follows each error.
  socket.addEventListener("error", () => {});
  socket.addEventListener("close", ({ code, reason }) => finish(endOfClose(code, reason, goaway)));
  if (signal.aborted) abandon();
  else signal.addEventListener("abort", abandon);

  return { request, ended };
}

function isPush(frame: ServerFrame): frame is PushFrame {
  return frame.type !== "authenticated" && frame.type !== "ack";
}

function parseFrame(data: unknown): ServerFrame | null {
  if (typeof data !== "string") return null;
  try {
    const value: unknown = JSON.parse(data);
    const isFrame = typeof value === "object" && value !== null && "type" in value;
    return isFrame ? (value as ServerFrame) : null;
  } catch {
    return null;
  }
}

import { type ConnectionEnd, lostBy } from "./keep-connected.ts";
import { PendingReplies } from "./pending-replies.ts";
import { readFrame } from "./read-frame.ts";
import { endOfClose, type Goaway } from "./socket-end.ts";
import { SocketError } from "./socket-error.ts";
import type { PushFrame, ServerFrame } from "./socket-frames.ts";
import type { WebSocketLike } from "./websocket-like.ts";

export interface OpenConnection {
  /** Resolves with a frame of the type `replyType`. */
  request(frame: { type: string }, replyType: ServerFrame["type"]): Promise<ServerFrame>;
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
  /** Something came that could not be read; the connection goes on. */
  onUnreadable(reason: string): void;
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

  async function request(
    frame: { type: string },
    replyType: ServerFrame["type"],
  ): Promise<ServerFrame> {
    if (over) throw new SocketError("not-connected", "there is no connection", true);
    const { ref, reply } = pending.open(replyType, replyTimeoutMs);
    const text = JSON.stringify({ ...frame, ref });
    if (new TextEncoder().encode(text).length > MAX_FRAME_BYTES) {
      const message = `a frame holds ${MAX_FRAME_BYTES} bytes at most`;
      pending.refuse(ref, new SocketError("too-large", message, false));
    } else {
      socket.send(text);
    }
    return await reply;
  }

  async function authenticate(): Promise<void> {
    const frame = { type: "authenticate", token };
    await request(frame, "authenticated");
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

  function leaveOut(reason: string, ref: number | undefined): void {
    if (ref !== undefined) pending.refuse(ref, unreadableAnswer());
    options.onUnreadable(reason);
  }

  function receive(data: unknown): void {
    if (over) return;
    const read = readFrame(data);
    // Whatever comes is a sign of life.
    if (authenticated) expectFrames();
    if (read.kind === "frame") take(read.frame);
    else if (read.kind === "unreadable") leaveOut(read.reason, read.ref);
    else if (read.ref !== undefined) leaveOut("an answer of an unknown type", read.ref);
  }

  function take(frame: ServerFrame): void {
    if (frame.type === "authenticated") {
      quietMs = frame.pingIntervalMs;
      if (!authenticated) {
        authenticated = true;
        expectFrames();
        options.onAuthenticated();
      }
    }
    if (frame.type === "goaway") goaway = frame;
    else if (frame.type === "token-expiring") renew().catch(leaveToClose);
    else if ("ref" in frame && frame.ref !== undefined) {
      const fits = pending.settle(frame.ref, frame);
      if (!fits) leaveOut(`${frame.type}: not what was asked for`, frame.ref);
    } else if (isPush(frame)) options.onPush(frame);
  }

  socket.addEventListener("open", () => {
    authenticate().catch((error: unknown) => {
      if (isUnreadable(error)) finish(lostBy(error));
      // A refusal is followed by a close, which says more.
      else leaveToClose();
    });
  });
  socket.addEventListener("message", (event) => receive(event.data));
  // A close follows each error.
  socket.addEventListener("error", () => {});
  socket.addEventListener("close", ({ code, reason }) => finish(endOfClose(code, reason, goaway)));
  if (signal.aborted) abandon();
  else signal.addEventListener("abort", abandon);

  return { request, ended };
}

/** Nothing to do: the close that follows says what comes next, and a token that was not renewed ends by 4401. */
function leaveToClose(): void {}

function unreadableAnswer(): SocketError {
  return new SocketError("unreadable-answer", "the answer could not be read", true);
}

function isUnreadable(error: unknown): boolean {
  return error instanceof SocketError && error.code === "unreadable-answer";
}

function isPush(frame: ServerFrame): frame is PushFrame {
  return (
    frame.type === "message" ||
    frame.type === "location-update" ||
    frame.type === "delivery-updated" ||
    frame.type === "error"
  );
}

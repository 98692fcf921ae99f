import { WebSocket } from "ws";

export interface Frame {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface LeanSocket {
  readonly isOpen: boolean;
  send(frame: Frame): void;
  close(): void;
}

/** A WebSocket that authenticates with its first frame (PROTOCOL.md A4). `onEnd` is called once, with what ended it, unless `close` did. */
export function openLeanSocket(options: {
  url: URL;
  token: string;
  localAddress: string | undefined;
  onOpen(): void;
  onFrame(frame: Frame): void;
  onEnd(reason: string): void;
}): LeanSocket {
  const { localAddress } = options;
  const socket = new WebSocket(options.url, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
    handshakeTimeout: 15_000,
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  let isOpen = false;
  let over = false;
  function end(reason: string): void {
    isOpen = false;
    if (over) return;
    over = true;
    options.onEnd(reason);
  }
  socket.on("open", () => {
    socket.send(JSON.stringify({ type: "authenticate", ref: 0, token: options.token }));
  });
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as Frame;
    if (frame.type === "authenticated") {
      isOpen = true;
      options.onOpen();
    } else options.onFrame(frame);
  });
  socket.on("error", (error) => end(error.message));
  socket.on("close", (code) => end(`closed with ${code}`));
  return {
    get isOpen() {
      return isOpen;
    },
    send(frame) {
      socket.send(JSON.stringify(frame));
    },
    close() {
      over = true;
      isOpen = false;
      socket.terminate();
    },
  };
}

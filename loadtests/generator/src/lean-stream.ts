import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createChunkReader } from "./chunk-reader.ts";

/** One event as the platform writes it: `data` is one line. Text is latin1: ids and keys are ASCII. */
export interface LeanEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

export interface LeanStream {
  close(): void;
}

/** Bytes of an answer's head, and of an event that has not ended. */
const MAX_PENDING_CHARS = 256 * 1024;

/**
 * An event stream over a bare socket: one closure and one string for each, no timers. `onEnd` is called once, with what
 * ended it, unless `close` did.
 */
export function openLeanStream(options: {
  url: URL;
  token: string;
  lastEventId: string | undefined;
  localAddress: string | undefined;
  onEvent(event: LeanEvent): void;
  onEnd(reason: string): void;
}): LeanStream {
  const { url } = options;
  const secure = url.protocol === "https:";
  const address = {
    host: url.hostname,
    port: Number(url.port || (secure ? 443 : 80)),
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  };
  const socket: Socket = secure
    ? connectTls({ ...address, servername: url.hostname })
    : connectTcp(address);
  let over = false;
  let text = "";
  let readBody: ((bytes: Buffer) => void) | undefined;

  function end(reason: string): void {
    if (over) return;
    over = true;
    socket.destroy();
    options.onEnd(reason);
  }

  function readText(more: string): void {
    text += more;
    let start = 0;
    for (let gap = text.indexOf("\n\n"); gap >= 0; gap = text.indexOf("\n\n", start)) {
      const event = parseBlock(text.slice(start, gap));
      start = gap + 2;
      if (event && !over) options.onEvent(event);
    }
    if (start > 0) text = text.slice(start);
  }

  function readHead(bytes: Buffer): void {
    text += bytes.toString("latin1");
    const gap = text.indexOf("\r\n\r\n");
    if (gap < 0) return;
    const head = text.slice(0, gap);
    const rest = Buffer.from(text.slice(gap + 4), "latin1");
    text = "";
    const status = head.slice(9, 12);
    if (status !== "200") {
      end(`HTTP ${status}`);
      return;
    }
    readBody = /\r\ntransfer-encoding: *chunked/i.test(head)
      ? createChunkReader(readText, () => end("the stream ended"))
      : (body) => readText(body.toString("latin1"));
    readBody(rest);
  }

  socket.on("data", (bytes) => {
    try {
      if (readBody) readBody(bytes);
      else readHead(bytes);
      if (text.length > MAX_PENDING_CHARS) end("an event without end");
    } catch (error) {
      end((error as Error).message);
    }
  });
  socket.on("error", (error) => end(error.message));
  socket.on("close", () => end("the connection was closed"));
  const resume = options.lastEventId ? `Last-Event-ID: ${options.lastEventId}\r\n` : "";
  socket.write(
    `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${options.token}\r\n${resume}\r\n`,
  );
  return {
    close() {
      over = true;
      socket.destroy();
    },
  };
}

function parseBlock(block: string): LeanEvent | undefined {
  let event = "message";
  let id: string | undefined;
  let data: string | undefined;
  for (const line of block.split("\n")) {
    if (line.startsWith("data: ")) data = line.slice(6);
    else if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("id: ")) id = line.slice(4);
  }
  return data === undefined ? undefined : { event, id, data };
}

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { Problem, type ProblemCode } from "@localstreet/contracts/problem";

/** A client that is still sending would lose the answer to a reset, so it is listened to for so long, in milliseconds. */
const LINGER_MS = 1_000;

/** What the parser of Node gave up on; all else is malformed. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: "headers-too-large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "too-large",
  ERR_HTTP_REQUEST_TIMEOUT: "request-timeout",
};

export interface UnreadableRequests {
  /** A request begins: a later fault of its connection may be a fault of its body. */
  begin(request: IncomingMessage, response: ServerResponse): void;
  end(response: ServerResponse): void;
  /** Answers what is no request, or not wholly one (`clientError` of Node's server). */
  answer(error: NodeJS.ErrnoException, socket: Socket): void;
}

/**
 * Answers requests that never reach a route, because their head or their body cannot be read, with the same problem
 * details as all others (PROTOCOL.md E1, E16, E17).
 *
 * @param encode a problem as a whole HTTP answer.
 */
export function createUnreadableRequests(encode: (problem: Problem) => string): UnreadableRequests {
  const newest = new WeakMap<Socket, ServerResponse>();

  function answer(error: NodeJS.ErrnoException, socket: Socket, mayWait: boolean): void {
    // The parser complains again of every byte that follows.
    if (error.code === "ECONNRESET" || !socket.writable) return;
    const problem = new Problem(CODES[error.code ?? ""] ?? "invalid-request");
    const response = newest.get(socket);
    if (response === undefined || isOver(response)) {
      socket.end(encode(problem));
    } else if (!isNext(response, socket)) {
      // An answer would land in the middle of another.
      socket.destroy();
      return;
    } else if (response.req.listenerCount("error") > 0) {
      // The reader of the body fails with it, and the route's error handler answers.
      response.req.emit("error", problem);
    } else if (mayWait) {
      // Head and fault came together, and the hooks before the reader are on their way.
      setImmediate(() => answer(error, socket, false));
      return;
    } else {
      socket.destroy();
      return;
    }
    const cut = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once("close", () => clearTimeout(cut));
  }

  return {
    begin({ socket }, response) {
      newest.set(socket, response);
    },
    end(response) {
      const { req } = response;
      // A pipelined request may have begun meanwhile.
      if (isOver(response) && newest.get(req.socket) === response) newest.delete(req.socket);
    },
    answer: (error, socket) => answer(error, socket, true),
  };
}

/** Whether the request has come and was answered, so that what follows is another one. */
function isOver(response: ServerResponse): boolean {
  return response.req.complete && response.writableFinished;
}

/** Whether the body is still on its way, and the answer to it is the next thing that the client hears. */
function isNext(response: ServerResponse, socket: Socket): boolean {
  return !response.req.complete && !response.headersSent && response.socket === socket;
}

/** An answer as it goes over the wire, for where there is no response object. */
export function encodeAnswer(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): string {
  const lines = Object.entries({
    ...headers,
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
  }).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, "", body].join("\r\n");
}

import { invalidRequest, Problem } from "@localstreet/contracts/problem";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import type { z } from "zod";
import { createCors, registerCors } from "./cors.ts";
import type { Logger } from "./logger.ts";
import { createUnreadableRequests, encodeAnswer } from "./unreadable-request.ts";

export const REPLICA_HEADER = "Localstreet-Replica";

/** How far apart the clients of one temporary refusal come back, in milliseconds. */
const RETRY_SPREAD_MS = { from: 2_000, to: 8_000 };
/** How long the head of a request may take (PROTOCOL.md E13), and how often late ones are looked for, in milliseconds. */
const HEAD_MS = 10_000;
const CHECK_MS = 2_000;
/** A page whose token has ended renews its cookie within this time (PROTOCOL.md A8), in milliseconds. */
const EXPIRED_RETRY_MS = 15_000;

/**
 * The value as the schema's type.
 *
 * @throws {Problem} `invalid-request` with every fault and its path.
 */
export function parseRequest<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what?: string,
): z.infer<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw invalidRequest(result.error, what);
  return result.data;
}

/** A Fastify instance that answers as PROTOCOL.md E1, E5, E6, E11, E16 and E17 say. */
export function createHttp(options: {
  logger: Logger;
  replica: string;
  bodyBytes: number;
  headerBytes: number;
  requestMs: number;
  allowedOrigins: readonly string[];
  /** Whether a GET of this path parses a query. Every other request is refused with one (PROTOCOL.md G3). */
  takesQuery: (path: string) => boolean;
}): FastifyInstance {
  const { logger, replica, bodyBytes, headerBytes, requestMs, takesQuery } = options;
  const cors = createCors(options.allowedOrigins);
  const unreadable = createUnreadableRequests((problem) => encodeProblem(problem, replica));
  const http = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // One line for each request, without its query: see the hook below.
    logController: new LogController({ disableRequestLogging: true }),
    // A HEAD of a stream would hold a connection that never says anything.
    exposeHeadRoutes: false,
    // Before any hook: an address that cannot be decoded.
    frameworkErrors(error, request, reply) {
      reply.raw.setHeader(REPLICA_HEADER, replica);
      cors.allow(request, reply.raw);
      if (asksForUpgrade(request)) {
        reply.raw.setHeader("Connection", "close");
        reply.raw.once("finish", () => request.raw.socket.destroy());
      }
      sendProblem(request, reply, problemOf(error));
    },
    clientErrorHandler: unreadable.answer,
    bodyLimit: bodyBytes,
    // An id that is too long is a 400 of the schema, not a route that does not exist.
    routerOptions: { maxParamLength: 16_384 },
    // While draining, a request on an open connection is served and the connection closed after it.
    return503OnClosing: false,
    requestTimeout: requestMs,
    // Longer than the gateway keeps idle connections, so that it never writes into one that we are closing.
    keepAliveTimeout: 75_000,
    http: {
      maxHeaderSize: headerBytes,
      headersTimeout: Math.min(HEAD_MS, requestMs),
      connectionsCheckingInterval: Math.min(CHECK_MS, Math.ceil(requestMs / 4)),
    },
  });

  // Fastify would make a logger for each request: 1 KB for as long as a stream is open, and time for each POST. The line
  // below names the request.
  http.setChildLoggerFactory((base) => base);
  http.addHook("onRequest", async (request, reply) => {
    // On the raw response: routes that write it themselves (streams) carry it too.
    reply.raw.setHeader(REPLICA_HEADER, replica);
    // A connection that was handed over for a WebSocket has no parser any more: it takes no second request.
    if (asksForUpgrade(request)) reply.raw.setHeader("Connection", "close");
    else unreadable.begin(request.raw, reply.raw);
  });
  registerCors(http, cors);
  // After everybody's `onRequest`, which know how to end a refused upgrade. Every request pays for this: no promise, and
  // no schema where there is nothing to check.
  http.addHook("preParsing", (request, reply, payload, done) => {
    const coding = request.headers["content-encoding"];
    if (coding && coding.toLowerCase() !== "identity") {
      // It tells this refusal from one of the media type (RFC 9110 section 12.5.3).
      reply.header("accept-encoding", "identity");
      done(new Problem("unsupported-media-type", "Send the body without a Content-Encoding"));
      return;
    }
    const { url } = request.routeOptions;
    const isParsed = url === undefined || (request.method === "GET" && takesQuery(url));
    const fields = isParsed ? [] : Object.keys(request.query as object);
    done(fields.length > 0 ? unknownQuery(fields) : null, payload);
  });
  http.addHook("onResponse", async (request, reply) => {
    if (asksForUpgrade(request)) request.raw.socket.destroy();
    else unreadable.end(reply.raw);
    const level = reply.statusCode >= 500 ? "warn" : "debug";
    request.log[level](
      {
        method: request.method,
        path: request.url.split("?", 1)[0],
        requestId: request.headers["x-request-id"],
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
      },
      "request",
    );
  });

  // Fastify decodes a body with replacement characters; what is no UTF-8 is refused instead (RFC 8259 section 8.1). Fastify
  // also refuses `__proto__` in the whole of a body. To JSON.parse it is a field like any other, and to every schema an
  // unknown one (PROTOCOL.md G3): so one order that has it does not cost its batch (S19).
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  http.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    if (!isUtf8(request.headers["content-type"])) {
      done(new Problem("unsupported-media-type", "JSON is UTF-8"));
      return;
    }
    let value: unknown;
    try {
      value = JSON.parse(utf8.decode(body as Buffer));
    } catch {
      done(new Problem("invalid-request", "The body is not JSON in UTF-8"));
      return;
    }
    done(null, value);
  });
  http.removeContentTypeParser("text/plain");

  http.setNotFoundHandler((request, reply) =>
    sendProblem(request, reply, new Problem("not-found")),
  );
  http.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemOf(error);
    if (problem.code === "internal") request.log.error({ err: error }, "request failed");
    else if (problem.status >= 500) request.log.warn({ err: error }, "request refused");
    return sendProblem(request, reply, problem);
  });
  return http;
}

function asksForUpgrade(request: FastifyRequest): boolean {
  return request.headers.upgrade !== undefined;
}

function unknownQuery(fields: readonly string[]): Problem {
  const issues = fields.slice(0, 20).map((path) => ({ path, message: "is not known here" }));
  return new Problem("invalid-request", "The query does not match its schema", { issues });
}

/** Whether a media type names no charset, or UTF-8. */
function isUtf8(mediaType = ""): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(mediaType)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

/** Whatever was thrown, as what the client is told. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { code, statusCode, retryable, message } = (error ?? {}) as Partial<FastifyError> & {
    retryable?: boolean;
  };
  // A dependency's error says itself whether to come back.
  if (retryable === true) {
    return new Problem("unavailable", undefined, { retryAfterMs: 1_000, cause: error });
  }
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return new Problem("too-large");
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return new Problem("unsupported-media-type");
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new Problem("invalid-request", message);
  }
  return new Problem("internal", undefined, { cause: error });
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const wantsStream =
    request.method === "GET" && request.headers.accept?.includes("text/event-stream") === true;
  if (wantsStream && (problem.retryable || problem.code === "token-expired")) {
    return reply
      .code(200)
      .header("content-type", "text/event-stream")
      .header("cache-control", "no-cache, no-transform")
      .header("x-accel-buffering", "no")
      .send(encodeRefusal(problem));
  }
  return reply
    .code(problem.status)
    .headers(headersOf(problem))
    .send(JSON.stringify(problem.toDetails()));
}

/** A problem as a whole HTTP answer, for a request that is none. */
export function encodeProblem(problem: Problem, replica: string): string {
  const headers = { [REPLICA_HEADER]: replica, Vary: "Origin", ...headersOf(problem) };
  return encodeAnswer(problem.status, headers, JSON.stringify(problem.toDetails()));
}

function headersOf(problem: Problem): Record<string, string> {
  const headers: Record<string, string> = { "Content-Type": "application/problem+json" };
  if (problem.retryable) {
    const seconds = Math.ceil((problem.retryAfterMs ?? 1_000) / 1_000);
    headers["Retry-After"] = String(Math.max(1, seconds));
  }
  if (problem.status === 401) headers["WWW-Authenticate"] = "Bearer";
  if (problem.code === "upgrade-required") {
    headers.Connection = "upgrade, close";
    headers.Upgrade = "websocket";
    headers["Sec-WebSocket-Version"] = "13";
  }
  return headers;
}

/** The whole stream of a refusal that an EventSource comes back from (PROTOCOL.md A8, E5). */
function encodeRefusal(problem: Problem): string {
  const { retryAfterMs } = problem;
  const spreadMs =
    RETRY_SPREAD_MS.from + Math.random() * (RETRY_SPREAD_MS.to - RETRY_SPREAD_MS.from);
  const retryMs =
    problem.code === "token-expired" ? EXPIRED_RETRY_MS : spreadMs + (retryAfterMs ?? 0);
  return encodeSseEvent({
    retryMs,
    event: "error",
    data: JSON.stringify({
      code: problem.code,
      message: problem.message,
      retryable: problem.retryable,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }),
  });
}

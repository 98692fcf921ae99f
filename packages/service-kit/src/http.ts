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
import type { Logger } from "./logger.ts";

export const REPLICA_HEADER = "Localstreet-Replica";

/** How far apart the clients of one temporary refusal come back, in milliseconds. */
const RETRY_SPREAD_MS = { from: 2_000, to: 8_000 };
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

/** A Fastify instance that answers as PROTOCOL.md E1, E5 and E6 say. */
export function createHttp(options: {
  logger: Logger;
  replica: string;
  bodyBytes: number;
}): FastifyInstance {
  const { logger, replica, bodyBytes } = options;
  const http = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // One line for each request, without its query: see the hook below.
    logController: new LogController({ disableRequestLogging: true }),
    // A HEAD of a stream would hold a connection that never says anything.
    exposeHeadRoutes: false,
    frameworkErrors(error, request, reply) {
      sendProblem(request, reply, problemOf(error));
    },
    bodyLimit: bodyBytes,
    // An id that is too long is a 400 of the schema, not a route that does not exist.
    routerOptions: { maxParamLength: 16_384 },
    // While draining, a request on an open connection is served and the connection closed after it.
    return503OnClosing: false,
    requestTimeout: 10_000,
    // Longer than the gateway keeps idle connections, so that it never writes into one that we are closing.
    keepAliveTimeout: 75_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 2_000 },
  });

  // Fastify would make a logger for each request: 1 KB for as long as a stream is open, and time for each POST. The line
  // below names the request.
  http.setChildLoggerFactory((base) => base);
  http.addHook("onRequest", async (_request, reply) => {
    // On the raw response: routes that write it themselves (streams) carry it too.
    reply.raw.setHeader(REPLICA_HEADER, replica);
  });
  http.addHook("onResponse", async (request, reply) => {
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
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  http.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => {
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
  if (problem.retryable) {
    reply.header("retry-after", Math.max(1, Math.ceil((problem.retryAfterMs ?? 1_000) / 1_000)));
  }
  if (problem.status === 401) reply.header("www-authenticate", "Bearer");
  return reply
    .code(problem.status)
    .header("content-type", "application/problem+json")
    .send(JSON.stringify(problem.toDetails()));
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

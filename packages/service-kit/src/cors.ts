import type { ServerResponse } from "node:http";
import { Problem } from "@localstreet/contracts/problem";
import type { FastifyInstance, FastifyRequest } from "fastify";

const METHODS = "GET, POST, PUT, DELETE";
const REQUEST_HEADERS = "Authorization, Content-Type, Last-Event-ID, Idempotency-Key";
const EXPOSED_HEADERS = "Localstreet-Replica, Retry-After, Localstreet-Next-Interval";
/** How long a browser may remember what a preflight said; none remembers longer. */
const PREFLIGHT_SECONDS = 7_200;

/** Whether `text` is an origin as a browser sends it (RFC 6454 section 7), which `null` is not. */
export function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text;
}

export interface Cors {
  /** Lets the page that asks read the answer, if it is of a listed origin. */
  allow(request: FastifyRequest, response: ServerResponse): boolean;
}

export function createCors(allowedOrigins: readonly string[]): Cors {
  const allowed = new Set(allowedOrigins);
  return {
    allow({ headers: { origin } }, response) {
      response.setHeader("Vary", "Origin");
      if (origin === undefined || !allowed.has(origin)) return false;
      response.setHeader("Access-Control-Allow-Origin", origin);
      response.setHeader("Access-Control-Allow-Credentials", "true");
      response.setHeader("Access-Control-Expose-Headers", EXPOSED_HEADERS);
      return true;
    },
  };
}

/**
 * Lets pages of the listed origins, and of no other, read every answer, streams and errors included, and send the
 * cookie with their requests (PROTOCOL.md E11, E12). A preflight is answered here, whatever it asks for: what the
 * request itself may do is decided when it comes.
 */
export function registerCors(http: FastifyInstance, cors: Cors): void {
  http.addHook("onRequest", async (request, reply) => {
    // On the raw response: routes that write it themselves (streams) carry them too.
    const { raw } = reply;
    const isAllowed = cors.allow(request, raw);
    const { headers, method } = request;
    if (method !== "OPTIONS" || headers.origin === undefined) return;
    if (!("access-control-request-method" in headers)) return;
    if (!isAllowed) throw new Problem("forbidden", "Foreign origin");
    raw.removeHeader("Access-Control-Expose-Headers");
    return reply
      .code(204)
      .header("access-control-allow-methods", METHODS)
      .header("access-control-allow-headers", REQUEST_HEADERS)
      .header("access-control-max-age", PREFLIGHT_SECONDS)
      .send();
  });
}

import { Problem } from "@localstreet/contracts/problem";
import type { FastifyInstance } from "fastify";

const METHODS = "GET, POST, PUT, DELETE";
const REQUEST_HEADERS = "Authorization, Content-Type, Last-Event-ID, Idempotency-Key";
const EXPOSED_HEADERS = "Localstreet-Replica, Retry-After, Localstreet-Next-Interval";
/** How long a browser may remember what a preflight said; none remembers longer. */
const PREFLIGHT_SECONDS = 7_200;

/** Whether `text` is an origin as a browser sends it (RFC 6454 section 7), which `null` is not. */
export function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text;
}

/**
 * Lets pages of the listed origins, and of no other, read every answer, streams and errors included, and send the
 * cookie with their requests (PROTOCOL.md E11, E12). A preflight is answered here, whatever it asks for: what the
 * request itself may do is decided when it comes.
 */
export function registerCors(http: FastifyInstance, allowedOrigins: readonly string[]): void {
  const allowed = new Set(allowedOrigins);
  http.addHook("onRequest", async (request, reply) => {
    // On the raw response: routes that write it themselves (streams) carry them too.
    const { raw } = reply;
    raw.setHeader("Vary", "Origin");
    const { origin } = request.headers;
    if (origin === undefined) return;
    const isPreflight =
      request.method === "OPTIONS" && "access-control-request-method" in request.headers;
    if (!allowed.has(origin)) {
      if (isPreflight) throw new Problem("forbidden", "Foreign origin");
      return;
    }
    raw.setHeader("Access-Control-Allow-Origin", origin);
    raw.setHeader("Access-Control-Allow-Credentials", "true");
    if (!isPreflight) {
      raw.setHeader("Access-Control-Expose-Headers", EXPOSED_HEADERS);
      return;
    }
    return reply
      .code(204)
      .header("access-control-allow-methods", METHODS)
      .header("access-control-allow-headers", REQUEST_HEADERS)
      .header("access-control-max-age", PREFLIGHT_SECONDS)
      .send();
  });
}

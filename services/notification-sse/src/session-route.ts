import type { Revocations } from "@localstreet/bus/revocations";
import { postRevocationSchema, roleSchema, TOKEN_COOKIE } from "@localstreet/contracts/auth";
import { Problem } from "@localstreet/contracts/problem";
import { personId } from "@localstreet/service-kit/auth";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { z } from "zod";

/**
 * A browser drops a cookie that has ended, and an EventSource without one is answered 401 and silenced for good. So the
 * cookie outlives its token, and the page has this long to renew it (PROTOCOL.md A5, A8), in milliseconds.
 */
const COOKIE_GRACE_MS = 24 * 3_600_000;

/** What some clients send where nothing is asked for. */
const noBodySchema = z.strictObject({}).optional();

/**
 * `POST` and `DELETE /api/auth/session`: the cookie for an EventSource, which cannot send headers (PROTOCOL.md A5);
 * `POST /api/auth/revocations`: the end of a person's tokens (A9).
 */
export function registerSessionRoutes(
  { http, authenticator }: ServiceKit,
  revocations: Revocations,
): void {
  http.post("/api/auth/session", async (request, reply) => {
    parseRequest(noBodySchema, request.body, "The body");
    const found = authenticator.tokenOf(request.headers);
    // A cookie would renew itself; and what a page of another origin sends must not set one.
    if (found.from !== "authorization") throw new Problem("unauthenticated");
    const { expiresAtMs } = await authenticator.authenticate(request, ...roleSchema.options);
    const until = new Date(expiresAtMs + COOKIE_GRACE_MS);
    return reply
      .code(204)
      .header("set-cookie", cookie(request, found.token, until))
      .send();
  });

  http.delete("/api/auth/session", async (request, reply) => {
    parseRequest(noBodySchema, request.body, "The body");
    return reply
      .code(204)
      .header("set-cookie", cookie(request, "", new Date(0)))
      .send();
  });

  http.post("/api/auth/revocations", async (request, reply) => {
    await authenticator.authenticate(request, "service");
    const { sub } = parseRequest(postRevocationSchema, request.body, "The body");
    await revocations.revoke(personId(sub), Math.floor(Date.now() / 1_000));
    return reply.code(204).send();
  });
}

function cookie(
  request: { headers: Record<string, string | string[] | undefined> },
  value: string,
  expires: Date,
): string {
  const secure = request.headers["x-forwarded-proto"] === "https" ? "; Secure" : "";
  return `${TOKEN_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Expires=${expires.toUTCString()}${secure}`;
}

import { TOKEN_COOKIE } from "@localstreet/contracts/auth";
import { Problem } from "@localstreet/contracts/problem";
import type { ServiceKit } from "@localstreet/service-kit/service";

/** `POST` and `DELETE /api/auth/session`: the cookie for an EventSource, which cannot send headers (PROTOCOL.md A5). */
export function registerSessionRoutes({ http, authenticator }: ServiceKit): void {
  http.post("/api/auth/session", async (request, reply) => {
    const found = authenticator.tokenOf(request.headers);
    // A cookie would renew itself; and what a page of another origin sends must not set one.
    if (found.from !== "authorization") throw new Problem("unauthenticated");
    const { expiresAtMs } = await authenticator.verifyToken(found.token);
    return reply
      .code(204)
      .header("set-cookie", cookie(request, found.token, new Date(expiresAtMs)))
      .send();
  });

  http.delete("/api/auth/session", async (request, reply) =>
    reply
      .code(204)
      .header("set-cookie", cookie(request, "", new Date(0)))
      .send(),
  );
}

function cookie(
  request: { headers: Record<string, string | string[] | undefined> },
  value: string,
  expires: Date,
): string {
  const secure = request.headers["x-forwarded-proto"] === "https" ? "; Secure" : "";
  return `${TOKEN_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Expires=${expires.toUTCString()}${secure}`;
}

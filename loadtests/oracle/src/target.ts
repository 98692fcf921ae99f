import type { Role } from "@localstreet/contracts/auth";
import { signToken } from "@localstreet/service-kit/sign-token";

export interface Identity {
  readonly role: Role;
  readonly sub: string;
  readonly vendors?: readonly string[];
}

export interface Request {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly as: Identity;
  readonly body?: object;
}

export interface Answer {
  readonly status: number;
  /** Parsed JSON; `null` when there is none. */
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;
}

/** A platform under test, as its clients reach it. */
export interface Target {
  readonly url: string;
  readonly socketUrl: string;
  /** The same token until it has half of its life behind it. */
  tokenFor(identity: Identity): Promise<string>;
  /** @throws when there was no answer: nobody knows whether the request was carried out. */
  request(request: Request): Promise<Answer>;
}

/** @param options.secret the platform's `AUTH_JWT_SECRET`, which signs the clients' tokens. */
export function openTarget(options: {
  url: string;
  secret: string;
  issuer?: string;
  tokenSeconds?: number;
  requestTimeoutMs?: number;
}): Target {
  const { secret, issuer, tokenSeconds = 3_600, requestTimeoutMs = 10_000 } = options;
  const url = options.url.replace(/\/+$/, "");
  const tokens = new Map<string, { token: Promise<string>; untilMs: number }>();

  function tokenFor(identity: Identity): Promise<string> {
    const key = JSON.stringify([identity.role, identity.sub, identity.vendors]);
    const known = tokens.get(key);
    if (known && known.untilMs > Date.now()) return known.token;
    const token = signToken({
      secret,
      ...identity,
      expiresInSeconds: tokenSeconds,
      ...(issuer === undefined ? {} : { issuer }),
    });
    tokens.set(key, { token, untilMs: Date.now() + tokenSeconds * 500 });
    return token;
  }

  return {
    url,
    socketUrl: url.replace(/^http/, "ws"),
    tokenFor,
    async request({ method, path, as, body }) {
      const response = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${await tokenFor(as)}`,
          ...(body ? { "content-type": "application/json" } : {}),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      const text = await response.text();
      const seconds = Number(response.headers.get("retry-after") || Number.NaN);
      return {
        status: response.status,
        body: parseJson(text),
        retryAfterMs: seconds >= 0 ? seconds * 1_000 : undefined,
      };
    },
  };
}

/** The stable `code` of a problem (PROTOCOL.md E1), or its status. */
export function codeOf({ status, body }: Answer): string {
  const isProblem = typeof body === "object" && body !== null && "code" in body;
  return isProblem ? String(body.code) : `http-${status}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

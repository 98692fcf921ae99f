import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import {
  type Role,
  TOKEN_AUDIENCE,
  TOKEN_COOKIE,
  type TokenClaims,
  tokenClaimsSchema,
} from "@localstreet/contracts/auth";
import {
  ID_PATTERN,
  type PersonId,
  personIdSchema,
  type VendorId,
} from "@localstreet/contracts/ids";
import { Problem } from "@localstreet/contracts/problem";
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { openTokenKeys, type TokenKeyOptions, type TokenKeys } from "./token-keys.ts";

/** Who a checked token speaks for. */
export interface Principal {
  readonly personId: PersonId;
  readonly role: Role;
  /** The vendors that this member of staff acts for. */
  readonly vendors: ReadonlySet<VendorId>;
  /** When the token was issued, in seconds since the epoch; `null` when it does not say. */
  readonly issuedAtSeconds: number | null;
  /** When the token ends, in milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** Whose tokens were revoked: see `openRevocations` of bus. */
export interface RevocationList {
  isRevoked(personId: PersonId, issuedAtSeconds: number | null): boolean;
}

export interface Authenticator {
  /**
   * @throws {Problem} `unauthenticated`, `token-expired` for a genuine token that has ended, `token-revoked`, or
   * `unavailable` when the key is not known and cannot be had.
   */
  verifyToken(token: string): Promise<Principal>;
  /**
   * The caller of a request (PROTOCOL.md A3, A6), which counts as one of that person's (E19).
   *
   * @throws {Problem} as `verifyToken`, `rate-limited`, and `forbidden` when the role is none of `roles`.
   */
  authenticate(request: { headers: IncomingHttpHeaders }, ...roles: Role[]): Promise<Principal>;
  /** As `authenticate` of the upgrade to a WebSocket, which counts as an opening (E20) and is refused as that is. */
  authenticateUpgrade(
    request: { headers: IncomingHttpHeaders },
    ...roles: Role[]
  ): Promise<Principal>;
  /** Where the request carries a token, without checking it. */
  tokenOf(headers: IncomingHttpHeaders): RequestToken;
  /** Refuses revoked tokens from now on (PROTOCOL.md A9). */
  refuseRevoked(revocations: RevocationList): void;
  /** From now on `count` is asked for each request that `authenticate` lets in; it throws when there were too many. */
  countRequests(count: (principal: Principal) => Promise<void>): void;
  /** Whether the token of somebody who is connected has been revoked since. */
  isRevoked(principal: Principal): boolean;
}

export type RequestToken =
  | { readonly from: "authorization" | "cookie"; readonly token: string }
  /** There is a cookie, but the page that sent it is none of ours: cross-site request forgery (A3, A4). */
  | { readonly from: "foreign-cookie" }
  | { readonly from: "nowhere" };

const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const TOKEN_MAX_LENGTH = 8_192;
const DAY_SECONDS = 86_400;
const HASHED_PERSON = /^h_[A-Za-z0-9_-]{43}$/;

/** The person that a token's `sub` names (PROTOCOL.md A2). */
export function personId(sub: string): PersonId {
  // A sub that already looks like a hash is hashed too, or anybody with a free choice of `sub` could be somebody else.
  if (ID_PATTERN.test(sub) && !HASHED_PERSON.test(sub)) return personIdSchema.parse(sub);
  return personIdSchema.parse(`h_${createHash("sha256").update(sub).digest("base64url")}`);
}

/** @throws {Problem} `not-found` when the principal does not act for the vendor. */
export function requireVendor(principal: Principal, vendorId: VendorId): void {
  if (!principal.vendors.has(vendorId)) throw new Problem("not-found");
}

export function createAuthenticator(
  options: TokenKeyOptions & {
    issuer?: string | undefined;
    allowedOrigins: readonly string[];
    /** A token that lives longer is refused: it would outlive the memory of its revocation. 30 when it is absent. */
    tokenDays?: number;
    /** How far the clock of an issuer may be ahead of ours, in milliseconds. 2,000 when it is absent. */
    clockSkewMs?: number;
    /** How many checked tokens are remembered. */
    cacheSize?: number;
  },
): Authenticator {
  const origins = new Set(options.allowedOrigins);
  const checked = new LRUCache<string, Principal>({ max: options.cacheSize ?? 20_000 });
  const keys = openTokenKeys(options, () => checked.clear());
  const clockSkewSeconds = (options.clockSkewMs ?? 2_000) / 1_000;
  const verify = tokenVerifier(keys, {
    issuer: options.issuer,
    lifeSeconds: (options.tokenDays ?? 30) * DAY_SECONDS,
    clockSkewSeconds,
  });

  let revocations: RevocationList = { isRevoked: () => false };
  let count: (principal: Principal) => Promise<void> = async () => {};

  function isRevoked({ personId, issuedAtSeconds }: Principal): boolean {
    if (issuedAtSeconds === null) return revocations.isRevoked(personId, null);
    // A clock that is ahead dates a token after the revocation that it was issued before.
    return revocations.isRevoked(personId, issuedAtSeconds - clockSkewSeconds);
  }

  async function verifyToken(token: string): Promise<Principal> {
    const principal = await checkToken(token);
    if (isRevoked(principal)) throw new Problem("token-revoked");
    return principal;
  }

  async function checkToken(token: string): Promise<Principal> {
    const known = checked.get(token);
    if (known) {
      if (known.expiresAtMs > Date.now()) return known;
      checked.delete(token);
    }
    // Lenient base64 would give one token many spellings.
    if (token.length > TOKEN_MAX_LENGTH || !JWT.test(token)) throw new Problem("unauthenticated");
    const principal = await verify(token);
    checked.set(token, principal);
    return principal;
  }

  function tokenOf(headers: IncomingHttpHeaders): RequestToken {
    const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
    if (bearer !== undefined) return { from: "authorization", token: bearer };
    const cookie = cookieValue(headers.cookie);
    if (cookie === undefined) return { from: "nowhere" };
    const { origin } = headers;
    // `Origin` comes first: a browser that sends both means the same, and an old one sends no Sec-Fetch-Site.
    const ours =
      origin === undefined ? headers["sec-fetch-site"] === "same-origin" : origins.has(origin);
    return ours ? { from: "cookie", token: cookie } : { from: "foreign-cookie" };
  }

  async function callerOf({ headers }: { headers: IncomingHttpHeaders }): Promise<Principal> {
    const found = tokenOf(headers);
    if (!("token" in found)) throw new Problem("unauthenticated");
    return await verifyToken(found.token);
  }

  function requireRole(principal: Principal, roles: readonly Role[]): Principal {
    if (!roles.includes(principal.role)) throw new Problem("forbidden");
    return principal;
  }

  return {
    verifyToken,
    tokenOf,
    isRevoked,
    refuseRevoked(list) {
      revocations = list;
    },
    countRequests(countOne) {
      count = countOne;
    },
    async authenticate(request, ...roles) {
      const principal = await callerOf(request);
      // What is refused for its role costs something too.
      await count(principal);
      return requireRole(principal, roles);
    },
    async authenticateUpgrade(request, ...roles) {
      return requireRole(await callerOf(request), roles);
    },
  };
}

function tokenVerifier(
  keys: TokenKeys,
  options: { issuer: string | undefined; lifeSeconds: number; clockSkewSeconds: number },
): (token: string) => Promise<Principal> {
  const { issuer, lifeSeconds, clockSkewSeconds } = options;
  const checks: JWTVerifyOptions = {
    algorithms: keys.algorithms,
    audience: TOKEN_AUDIENCE,
    requiredClaims: ["sub", "exp"],
    ...(issuer === undefined ? {} : { issuer }),
  };

  async function check(token: string): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, keys.find, checks)).payload;
    } catch (error) {
      // Several keys fit a token that names none: one of them has signed it, or none has.
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, checks)).payload;
        } catch (refused) {
          if (!(refused instanceof errors.JWSSignatureVerificationFailed)) throw refused;
        }
      }
      throw error;
    }
  }

  /** PROTOCOL.md A10. */
  function checkTimes({ exp, iat }: TokenClaims): void {
    const latestIssueSeconds = Date.now() / 1_000 + clockSkewSeconds;
    if (iat !== undefined && iat > latestIssueSeconds) {
      throw new Problem("unauthenticated", "The token is issued in the future");
    }
    if (exp - (iat ?? latestIssueSeconds) > lifeSeconds) {
      throw new Problem("unauthenticated", "The token lives too long");
    }
  }

  return async (token) => {
    try {
      const claims = tokenClaimsSchema.parse(await check(token));
      checkTimes(claims);
      return {
        personId: personId(claims.sub),
        role: claims.role,
        vendors: new Set(claims.vendors),
        issuedAtSeconds: claims.iat ?? null,
        expiresAtMs: claims.exp * 1_000,
      };
    } catch (error) {
      if (error instanceof Problem) throw error;
      // jose checks the signature before the claims, so this token was genuine once.
      if (error instanceof errors.JWTExpired) throw new Problem("token-expired");
      throw new Problem("unauthenticated", undefined, { cause: error });
    }
  };
}

function cookieValue(header: string | undefined): string | undefined {
  for (const pair of header?.split(";") ?? []) {
    const [name, value] = pair.trim().split("=", 2);
    if (name === TOKEN_COOKIE && value) return value;
  }
  return undefined;
}

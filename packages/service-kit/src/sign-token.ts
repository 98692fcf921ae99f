import { type Role, TOKEN_AUDIENCE } from "@localstreet/contracts/auth";
import { SignJWT } from "jose";

/** A token for development (HS256, PROTOCOL.md A1). Installations have an identity provider that issues theirs. */
export async function signToken(options: {
  secret: string;
  sub: string;
  role: Role;
  /** The vendors that a vendor's staff acts for. */
  vendors?: readonly string[];
  /** One hour when it is absent. */
  expiresInSeconds?: number;
  /** In seconds since the epoch, now when it is absent. */
  issuedAtSeconds?: number;
  issuer?: string;
}): Promise<string> {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const token = new SignJWT({ role: options.role, vendors: options.vendors ?? [] })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(options.sub)
    .setAudience(TOKEN_AUDIENCE)
    .setIssuedAt(options.issuedAtSeconds ?? nowSeconds)
    .setExpirationTime(nowSeconds + (options.expiresInSeconds ?? 3_600));
  if (options.issuer !== undefined) token.setIssuer(options.issuer);
  return await token.sign(new TextEncoder().encode(options.secret));
}

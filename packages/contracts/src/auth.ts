import { z } from "zod";
import { vendorIdSchema } from "./ids.ts";
import { textSchema } from "./text.ts";

export const roleSchema = z.enum(["vendor", "buyer", "driver", "service"]);
export type Role = z.infer<typeof roleSchema>;

export const TOKEN_AUDIENCE = "localstreet";
export const TOKEN_COOKIE = "localstreet_token";

/** The end of the year 9999: the last moment that the times of this protocol can write (PROTOCOL.md G2). */
const LAST_SECOND = 253_402_300_799;

/** Seconds since the epoch, with or without a fraction (RFC 7519 section 2, NumericDate). */
const numericDateSchema = z.number().min(0).max(LAST_SECOND);

/** Claims of a token (PROTOCOL.md A1, A10). Other claims are ignored. */
export const tokenClaimsSchema = z.object({
  // Hashed as UTF-8, all lone surrogates would be one: two persons would be the same.
  sub: textSchema(255),
  role: roleSchema,
  /** The vendors that a vendor's staff may act for. */
  vendors: z.array(vendorIdSchema).max(200).default([]),
  exp: numericDateSchema,
  iat: numericDateSchema.optional(),
  nbf: numericDateSchema.optional(),
});
/** Body of `POST /api/auth/revocations`: the `sub` of the person's tokens. */
export const postRevocationSchema = z.strictObject({ sub: tokenClaimsSchema.shape.sub });
export type TokenClaims = z.infer<typeof tokenClaimsSchema>;

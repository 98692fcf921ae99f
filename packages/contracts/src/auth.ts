import { z } from "zod";
import { vendorIdSchema } from "./ids.ts";

export const roleSchema = z.enum(["vendor", "buyer", "driver", "service"]);
export type Role = z.infer<typeof roleSchema>;

export const TOKEN_AUDIENCE = "localstreet";
export const TOKEN_COOKIE = "localstreet_token";

/** Claims of a token (PROTOCOL.md A1). Other claims are ignored. */
export const tokenClaimsSchema = z.object({
  sub: z.string().min(1).max(255),
  role: roleSchema,
  /** The vendors that a vendor's staff may act for. */
  vendors: z.array(vendorIdSchema).max(200).default([]),
  exp: z.number(),
  iat: z.number().optional(),
});
/** Body of `POST /api/auth/revocations`: the `sub` of the person's tokens. */
export const postRevocationSchema = z.strictObject({ sub: tokenClaimsSchema.shape.sub });
export type TokenClaims = z.infer<typeof tokenClaimsSchema>;

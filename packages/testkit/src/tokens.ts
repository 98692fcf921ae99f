import type { Role } from "@localstreet/contracts/auth";
import { signToken } from "@localstreet/service-kit/sign-token";

/** `AUTH_JWT_SECRET` of the services under test. */
export const TEST_SECRET = "a secret that only tests know, 32 bytes and more";

/** A token that services with `TEST_SECRET` accept, for an hour unless said otherwise. */
export async function tokenFor(options: {
  role: Role;
  sub: string;
  vendors?: readonly string[];
  expiresInSeconds?: number;
  issuedAtSeconds?: number;
}): Promise<string> {
  return await signToken({ secret: TEST_SECRET, ...options });
}

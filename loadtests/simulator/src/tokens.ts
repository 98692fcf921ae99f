import type { Role } from "@localstreet/contracts/auth";
import { signToken } from "@localstreet/service-kit/sign-token";

export interface Identity {
  readonly sub: string;
  readonly role: Role;
  readonly vendors?: readonly string[];
}

/** Tokens of everybody in the town, each for an hour and renewed before its end. */
export interface TokenDesk {
  tokenFor(identity: Identity): Promise<string>;
}

const LIFE_SECONDS = 3_600;
/** How long a token that is handed out is still good for, at least: a page may use it a while later. */
const SPARE_MS = 15 * 60_000;

export function openTokenDesk(options: { secret: string; issuer?: string | undefined }): TokenDesk {
  const issued = new Map<string, { token: Promise<string>; endsAtMs: number }>();
  return {
    tokenFor(identity) {
      const key = `${identity.role}/${identity.sub}`;
      const nowMs = Date.now();
      const known = issued.get(key);
      if (known && known.endsAtMs - nowMs > SPARE_MS) return known.token;
      const token = signToken({
        secret: options.secret,
        expiresInSeconds: LIFE_SECONDS,
        ...identity,
        ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
      });
      issued.set(key, { token, endsAtMs: nowMs + LIFE_SECONDS * 1_000 });
      return token;
    },
  };
}

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { createPasswords, type StorePasswords } from "@localstreet/stores/credentials";

export interface StoreSecrets {
  readonly nats: StorePasswords;
  readonly redis: StorePasswords;
  readonly postgres: StorePasswords;
}

/** The stores' passwords: made once and kept, since Postgres keeps them in its data. Accounts that are new get theirs. */
export function loadStoreSecrets(file: string): StoreSecrets {
  const kept = JSON.parse(readOr(file, "{}")) as Partial<StoreSecrets>;
  const secrets = {
    nats: { ...createPasswords(), ...kept.nats },
    redis: { ...createPasswords(), ...kept.redis },
    postgres: { ...createPasswords(), ...kept.postgres },
  };
  writeSecret(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}

/** How the services check tokens: the variables for them, and the secret to sign with when there is one. */
export interface Authentication {
  readonly env: Readonly<Record<string, string>>;
  readonly secret: string | undefined;
}

/**
 * From the environment (`AUTH_JWKS_URL`, `AUTH_JWKS_FILE` or `AUTH_JWT_SECRET`), or else a secret that is made once and
 * kept in `file`.
 *
 * @throws when more than one is set.
 */
export function loadAuthentication(file: string, env: NodeJS.ProcessEnv): Authentication {
  const { AUTH_JWKS_URL: jwksUrl, AUTH_JWKS_FILE: jwksFile, AUTH_JWT_SECRET: given } = env;
  if ([jwksUrl, jwksFile, given].filter(Boolean).length > 1) {
    throw new Error("AUTH_JWT_SECRET, AUTH_JWKS_FILE, AUTH_JWKS_URL: set one, not several");
  }
  if (jwksUrl) return { env: { AUTH_JWKS_URL: jwksUrl }, secret: undefined };
  if (jwksFile) {
    // npm runs scripts in the root of the checkout and says where it was called.
    const from = env.INIT_CWD ?? process.cwd();
    const absolute = isAbsolute(jwksFile) ? jwksFile : resolve(from, jwksFile);
    return { env: { AUTH_JWKS_FILE: absolute }, secret: undefined };
  }
  let secret = given || readOr(file, "").trim();
  if (secret === "") {
    secret = randomBytes(32).toString("base64url");
    writeSecret(file, `${secret}\n`);
  }
  return { env: { AUTH_JWT_SECRET: secret }, secret };
}

function readOr(file: string, fallback: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return fallback;
  }
}

function writeSecret(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text, { mode: 0o600 });
}

import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { Problem } from "@localstreet/contracts/problem";
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTVerifyGetKey } from "jose";

/** Where the keys that tokens are checked with come from: exactly one of the first three (PROTOCOL.md A1). */
export interface TokenKeyOptions {
  jwtSecret?: string | undefined;
  jwksFile?: string | undefined;
  jwksUrl?: string | undefined;
  /** How long the server of the key set may take to answer, in milliseconds. */
  jwksTimeoutMs?: number | undefined;
  /** A set that is younger is not asked for again, whatever key a token names, in milliseconds. */
  jwksCooldownMs?: number | undefined;
  /** A set that is older is asked for again while it serves on, in milliseconds. */
  jwksMaxAgeMs?: number | undefined;
  /** The key set could not be read; the one before serves on. */
  onKeysFault?: ((error: unknown) => void) | undefined;
}

export interface TokenKeys {
  /** They follow from the kind of the keys and are never taken from a token (RFC 8725 section 3.1). */
  readonly algorithms: string[];
  /** @throws {Problem} `unavailable` when the key is not known and its server cannot be asked. */
  readonly find: JWTVerifyGetKey;
}

const PUBLIC_KEY_ALGORITHMS = ["RS256", "ES256", "EdDSA", "Ed25519"];

/** `onChange` is called when the keys are others than before: what was checked with those may be good no longer. */
export function openTokenKeys(options: TokenKeyOptions, onChange: () => void): TokenKeys {
  const { jwtSecret, jwksFile, jwksUrl } = options;
  if (jwtSecret !== undefined) {
    const key = new TextEncoder().encode(jwtSecret);
    return { algorithms: ["HS256"], find: () => key };
  }
  if (jwksFile === undefined && jwksUrl === undefined) {
    throw new TypeError("no key to check tokens with");
  }
  const find =
    jwksFile === undefined
      ? keysFromUrl(new URL(jwksUrl as string), options, onChange)
      : keysFromFile(jwksFile, options, onChange);
  return { algorithms: PUBLIC_KEY_ALGORITHMS, find };
}

/** How often a file is looked at, in milliseconds; a key that it does not hold is looked for at once. */
const FILE_CHECK_MS = 1_000;

function keysFromFile(
  path: string,
  { onKeysFault }: TokenKeyOptions,
  onChange: () => void,
): JWTVerifyGetKey {
  let keys = createLocalJWKSet(JSON.parse(readFileSync(path, "utf8")));
  let version: string | undefined;
  let checkedAtMs = Number.NEGATIVE_INFINITY;

  async function readAgain(): Promise<void> {
    checkedAtMs = performance.now();
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const found = `${mtimeMs} ${size} ${ino}`;
      if (found === version) return;
      // A file that is being written is read again at the next look.
      keys = createLocalJWKSet(JSON.parse(readFileSync(path, "utf8")));
      if (version !== undefined) onChange();
      version = found;
    } catch (error) {
      onKeysFault?.(error);
    }
  }

  return async (header, token) => {
    if (performance.now() - checkedAtMs >= FILE_CHECK_MS) await readAgain();
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await readAgain();
      return await keys(header, token);
    }
  };
}

/** After a failure the server is not asked again for so long, in milliseconds. */
const FAILURE_PAUSE_MS = 1_000;

function keysFromUrl(
  url: URL,
  { jwksTimeoutMs, jwksCooldownMs, jwksMaxAgeMs, onKeysFault }: TokenKeyOptions,
  onChange: () => void,
): JWTVerifyGetKey {
  const maxAgeMs = jwksMaxAgeMs ?? 600_000;
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: jwksTimeoutMs ?? 2_000,
    cooldownDuration: jwksCooldownMs ?? 5_000,
    // A set that has grown old serves on while it is asked for, and when it cannot be had.
    cacheMaxAge: Number.POSITIVE_INFINITY,
  });
  let known = "";
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let failedAtMs = Number.NEGATIVE_INFINITY;

  function noteSet(): void {
    const set = JSON.stringify(remote.jwks() ?? null);
    if (set === known) return;
    if (known !== "") onChange();
    known = set;
  }

  function noteFailure(error: unknown): void {
    failedAtMs = performance.now();
    onKeysFault?.(error);
  }

  function reload(): void {
    askedAtMs = performance.now();
    remote.reload().then(noteSet, noteFailure);
  }
  reload();

  return async (header, token) => {
    const nowMs = performance.now();
    const held = remote.jwks();
    if (nowMs - failedAtMs < FAILURE_PAUSE_MS) {
      try {
        if (held) return await createLocalJWKSet(held)(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      }
      throw keysUnavailable();
    }
    if (held && nowMs - askedAtMs >= maxAgeMs) reload();
    try {
      const key = await remote(header, token);
      noteSet();
      return key;
    } catch (error) {
      if (
        error instanceof errors.JWKSNoMatchingKey ||
        error instanceof errors.JWKSMultipleMatchingKeys ||
        error instanceof errors.JOSENotSupported
      ) {
        throw error;
      }
      noteFailure(error);
      throw keysUnavailable(error);
    }
  };
}

function keysUnavailable(cause?: unknown): Problem {
  return new Problem("unavailable", "The keys to check tokens with cannot be had", {
    retryAfterMs: 1_000,
    cause,
  });
}

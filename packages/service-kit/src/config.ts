import { LIMITS } from "@localstreet/contracts/limits";
import { z } from "zod";
import { isOrigin } from "./cors.ts";

const port = z.coerce.number().int().min(0).max(65_535);
const list = z.string().transform((text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== ""),
);

/** A whole number of milliseconds from the environment, `fallback` when the variable is absent. */
export function millisecondsEnv(fallback: number) {
  return z.coerce.number().int().min(0).max(86_400_000).default(fallback);
}

/** A whole number from the environment, at least `min`, `fallback` when the variable is absent. */
export function countEnv(fallback: number, min = 1) {
  return z.coerce.number().int().min(min).max(Number.MAX_SAFE_INTEGER).default(fallback);
}

/** Variables of every service. */
export const commonEnv = {
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: port,
  ADMIN_PORT: port,
  REPLICA_NAME: z
    .string()
    .regex(
      /^[A-Za-z0-9_.-]{1,64}$/,
      "must be a name of 1 to 64 characters of A-Z, a-z, 0-9, _ . -",
    ),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  /** HS256, for development. RFC 7518 section 3.2 asks for a key of 32 bytes or more. */
  AUTH_JWT_SECRET: z.string().min(32).optional(),
  /** A JSON Web Key Set (RFC 7517). */
  AUTH_JWKS_FILE: z.string().min(1).optional(),
  AUTH_JWKS_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** How long the key set's server may take, when it is asked for a key again, and from which age it is asked anyway. */
  AUTH_JWKS_TIMEOUT_MS: countEnv(2_000),
  AUTH_JWKS_COOLDOWN_MS: millisecondsEnv(5_000),
  AUTH_JWKS_MAX_AGE_MS: countEnv(600_000),
  AUTH_ISSUER: z.string().min(1).optional(),
  /** How long a token may live, and how far ahead the clock of its issuer may be (PROTOCOL.md A10). */
  AUTH_TOKEN_DAYS: countEnv(30),
  AUTH_CLOCK_SKEW_MS: millisecondsEnv(2_000),
  /** Origins whose pages may use the cookie and read answers (PROTOCOL.md A3, E11), as in `https://shop.example`. */
  ALLOWED_ORIGINS: list
    .refine((origins) => origins.every(isOrigin), "must be origins, as https://shop.example")
    .default([]),
  BODY_BYTES: countEnv(LIMITS.bodyBytes),
  /** All headers of a request together (E16): two tokens of 8 KiB, the old in the cookie and the new beside it, have room. */
  HEADER_BYTES: countEnv(LIMITS.headerBytes),
  /** How long a whole request may take to arrive, its body included (E17): 16 KiB over a poor line take ten seconds. */
  REQUEST_MS: countEnv(LIMITS.requestMs),
  DRAIN_MS: millisecondsEnv(LIMITS.drainMs),
};

export const natsEnv = {
  NATS_URL: list.pipe(z.array(z.string().min(1)).min(1, "must be one or more addresses")),
  NATS_USER: z.string().min(1),
  NATS_PASSWORD: z.string().min(1),
};

export const redisEnv = {
  REDIS_URL: z.url({ protocol: /^rediss?$/ }),
  /** How long one command may take, in milliseconds. */
  REDIS_TIMEOUT_MS: countEnv(1_000),
};

export const postgresEnv = { DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }) };

/** How many requests one person may make, and one backend, over all replicas (PROTOCOL.md E19). */
export const requestsEnv = {
  REQUESTS_PER_SECOND: countEnv(LIMITS.requestsPerSecond),
  REQUESTS_BURST: countEnv(LIMITS.requestsBurst),
  BACKEND_REQUESTS_PER_SECOND: countEnv(LIMITS.backendRequestsPerSecond),
  BACKEND_REQUESTS_BURST: countEnv(LIMITS.backendRequestsBurst),
  /** How long a request waits at most to learn from Redis whether it is within a rate, in milliseconds. */
  RATE_WAIT_MS: countEnv(LIMITS.rateWaitMs),
};

/** Streams and WebSockets that one person opens, over all replicas (E20). */
export const openingsEnv = {
  OPENINGS_PER_SECOND: countEnv(LIMITS.openingsPerSecond),
  OPENINGS_BURST: countEnv(LIMITS.openingsBurst),
};

/** Variables of a service that holds connections open. Those of one user are counted in Redis (PROTOCOL.md E9). */
export const connectionEnv = {
  ...requestsEnv,
  ...openingsEnv,
  CONNECTIONS_PER_USER: countEnv(LIMITS.connectionsPerUser),
  /** How long the connections of a replica that says nothing more count, and how often it says them all again. */
  LEASE_MS: countEnv(LIMITS.leaseMs),
  LEASE_REFRESH_MS: countEnv(LIMITS.leaseRefreshMs),
  /** A connection is sent away at this age or up to a quarter later (E10). */
  CONNECTION_AGE_MS: millisecondsEnv(LIMITS.connectionAgeMs),
  /** How long before the end of its token a client is told (A7). */
  TOKEN_EXPIRING_MS: millisecondsEnv(LIMITS.tokenExpiringMs),
};

/** Variables of a service that holds WebSockets. */
export const socketEnv = {
  ...connectionEnv,
  FRAME_BYTES: countEnv(LIMITS.frameBytes),
  FRAMES_PER_SECOND: countEnv(LIMITS.framesPerSecond),
  AUTHENTICATE_MS: millisecondsEnv(LIMITS.authenticateMs),
  PING_INTERVAL_MS: millisecondsEnv(LIMITS.pingIntervalMs),
  PONG_TIMEOUT_MS: millisecondsEnv(LIMITS.pongTimeoutMs),
  OUTBOX_BYTES: countEnv(LIMITS.outboxBytes),
};

export type CommonConfig = z.infer<z.ZodObject<typeof commonEnv>>;
export type RedisConfig = z.infer<z.ZodObject<typeof redisEnv>>;
export type NatsConfig = z.infer<z.ZodObject<typeof natsEnv>>;
export type RequestsConfig = z.infer<z.ZodObject<typeof requestsEnv>>;
export type OpeningsConfig = z.infer<z.ZodObject<typeof openingsEnv>>;
export type ConnectionConfig = z.infer<z.ZodObject<typeof connectionEnv>>;
export type SocketConfig = z.infer<z.ZodObject<typeof socketEnv>>;

export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * The configuration of a service from its environment. An empty variable counts as absent.
 *
 * @throws {ConfigError} that names every wrong or missing variable and what was expected (PROTOCOL.md O3). Values are
 * not repeated: they may be secrets.
 */
export function readConfig<S extends z.ZodObject>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): z.infer<S> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const result = schema.safeParse(present);
  const faults = result.success
    ? []
    : result.error.issues.map((issue) => {
        const name = issue.path.map(String).join(".");
        return present[name] === undefined ? `${name}: missing` : `${name}: ${issue.message}`;
      });
  const keySources = ["AUTH_JWT_SECRET", "AUTH_JWKS_FILE", "AUTH_JWKS_URL"];
  if (keySources.filter((name) => present[name] !== undefined).length !== 1) {
    faults.push(`${keySources.join(", ")}: exactly one of them is needed`);
  }
  if (!result.success || faults.length > 0) {
    throw new ConfigError(
      `wrong configuration:\n${faults.map((fault) => `  ${fault}`).join("\n")}`,
    );
  }
  return result.data;
}

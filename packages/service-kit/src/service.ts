import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { Counter, type Registry } from "prom-client";
import type { z } from "zod";
import { type Authenticator, createAuthenticator } from "./auth.ts";
import { type CommonConfig, ConfigError, readConfig } from "./config.ts";
import { createHttp } from "./http.ts";
import { createLogger, type Logger } from "./logger.ts";
import { createMetrics } from "./metrics.ts";

/** What a service is built from. */
export interface ServiceKit<Config extends CommonConfig = CommonConfig> {
  readonly name: string;
  /** This process among the replicas of its service, as `chat-ws-1`. */
  readonly replica: string;
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Not listening yet; it listens once `buildApp` has resolved. */
  readonly http: FastifyInstance;
  readonly authenticator: Authenticator;
  isDraining(): boolean;
  /** A GET of these paths parses its query. Every other request is refused with one (PROTOCOL.md G3). */
  takeQueryAt(...paths: readonly string[]): void;
}

export interface App {
  /**
   * Ends what is open, within `windowMs` milliseconds: long connections are told to come back elsewhere, spread over
   * the window, and acknowledged work is finished. No new connection arrives meanwhile.
   */
  drain(windowMs: number): Promise<void>;
  /** Lets go of stores and timers. */
  close(): Promise<void>;
}

export type BuildApp<Config extends CommonConfig> = (kit: ServiceKit<Config>) => Promise<App>;

export interface RunningService {
  readonly replica: string;
  /** Addresses, as `http://127.0.0.1:4001`. */
  readonly url: string;
  readonly wsUrl: string;
  readonly adminUrl: string;
  /** Drains and stops; `windowMs` is `DRAIN_MS` unless given. */
  drain(windowMs?: number): Promise<void>;
  /** Stops now. */
  stop(): Promise<void>;
}

/** How long a drain may take past its window before the process ends all the same, in milliseconds. */
const DRAIN_GRACE_MS = 10_000;

/** How long requests under way may take after the drain, in milliseconds. */
const CLOSE_GRACE_MS = 2_000;

/** Connections that wait to be accepted: after a storm thousands come at once. The kernel's own limit may be lower. */
const LISTEN_BACKLOG = 4_096;

/** Starts a service in this process; `/readyz` is on once this has resolved. */
export async function startService<Config extends CommonConfig>(options: {
  name: string;
  config: Config;
  buildApp: BuildApp<Config>;
  logger?: Logger;
}): Promise<RunningService> {
  const { name, config, buildApp } = options;
  const replica = config.REPLICA_NAME;
  const logger =
    options.logger ?? createLogger({ level: config.LOG_LEVEL, service: name, replica });
  const metrics = createMetrics(name, replica);
  const queryPaths = new Set<string>();
  const http = createHttp({
    logger,
    replica,
    bodyBytes: config.BODY_BYTES,
    headerBytes: config.HEADER_BYTES,
    requestMs: config.REQUEST_MS,
    allowedOrigins: config.ALLOWED_ORIGINS,
    takesQuery: (path) => queryPaths.has(path),
  });
  const keysFaults = new Counter({
    name: "localstreet_token_keys_faults_total",
    help: "Times that the key set for tokens could not be read",
    registers: [metrics],
  });
  let state: "starting" | "ready" | "draining" = "starting";
  const kit: ServiceKit<Config> = {
    name,
    replica,
    config,
    logger,
    metrics,
    http,
    authenticator: createAuthenticator({
      jwtSecret: config.AUTH_JWT_SECRET,
      jwksFile: config.AUTH_JWKS_FILE,
      jwksUrl: config.AUTH_JWKS_URL,
      jwksTimeoutMs: config.AUTH_JWKS_TIMEOUT_MS,
      jwksCooldownMs: config.AUTH_JWKS_COOLDOWN_MS,
      jwksMaxAgeMs: config.AUTH_JWKS_MAX_AGE_MS,
      onKeysFault(error) {
        keysFaults.inc();
        logger.warn({ err: error }, "the key set cannot be read: the keys that are known serve on");
      },
      issuer: config.AUTH_ISSUER,
      tokenDays: config.AUTH_TOKEN_DAYS,
      clockSkewMs: config.AUTH_CLOCK_SKEW_MS,
      allowedOrigins: config.ALLOWED_ORIGINS,
    }),
    isDraining: () => state === "draining",
    takeQueryAt(...paths) {
      for (const path of paths) queryPaths.add(path);
    },
  };

  // First, so that a service that waits for a store already says that it lives and is not ready.
  const admin = await startAdmin({
    host: config.HOST,
    port: config.ADMIN_PORT,
    metrics,
    isReady: () => state === "ready",
  });
  let app: App;
  try {
    app = await buildApp(kit);
    await http.listen({ host: config.HOST, port: config.PORT, backlog: LISTEN_BACKLOG });
  } catch (error) {
    await admin.close();
    await http.close();
    throw error;
  }
  state = "ready";
  const address = `${config.HOST}:${(http.server.address() as AddressInfo).port}`;
  logger.info({ address, admin: admin.url }, "ready");

  let ending: Promise<void> | undefined;
  function end(windowMs: number): Promise<void> {
    ending ??= (async () => {
      state = "draining";
      // Accept no more, before anybody is told to go: else they come straight back.
      http.server.close();
      if (windowMs > 0) logger.info({ windowMs }, "draining");
      await app.drain(windowMs);
      const cut = setTimeout(() => http.server.closeAllConnections(), CLOSE_GRACE_MS);
      await http.close();
      clearTimeout(cut);
      await app.close();
      await admin.close();
      logger.info("stopped");
    })();
    return ending;
  }
  return {
    replica,
    url: `http://${address}`,
    wsUrl: `ws://${address}`,
    adminUrl: admin.url,
    drain: (windowMs = config.DRAIN_MS) => end(windowMs),
    stop: () => end(0),
  };
}

/**
 * Runs a service as this process: reads the configuration, starts, drains on SIGTERM or SIGINT, and exits. A second
 * signal exits at once. Exit status: 0 after a drain, 78 (`EX_CONFIG`) for a wrong configuration, 1 for anything else.
 */
export async function runService<S extends z.ZodObject>(options: {
  name: string;
  configSchema: S;
  env: Readonly<Record<string, string | undefined>>;
  buildApp: BuildApp<z.infer<S> & CommonConfig>;
}): Promise<void> {
  const { name, configSchema, env, buildApp } = options;
  let config: z.infer<S> & CommonConfig;
  try {
    config = readConfig(configSchema, env) as z.infer<S> & CommonConfig;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exit(78);
  }
  const logger = createLogger({
    level: config.LOG_LEVEL,
    service: name,
    replica: config.REPLICA_NAME,
  });
  const crash = (error: unknown) => {
    logger.fatal({ err: error }, "crashed");
    process.exit(1);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);

  let signalled = false;
  let service: RunningService | undefined;
  const onSignal = (signal: string) => {
    if (signalled || service === undefined) process.exit(signalled ? 1 : 0);
    signalled = true;
    logger.info({ signal }, "signal");
    setTimeout(() => {
      logger.error("the drain did not end in time");
      process.exit(1);
    }, config.DRAIN_MS + DRAIN_GRACE_MS).unref();
    service.drain().then(() => process.exit(0), crash);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  service = await startService({ name, config, buildApp, logger }).catch(crash);
}

interface Admin {
  readonly url: string;
  close(): Promise<void>;
}

/** `/healthz`, `/readyz` and `/metrics` on a port of their own (PROTOCOL.md O1). */
async function startAdmin(options: {
  host: string;
  port: number;
  metrics: Registry;
  isReady: () => boolean;
}): Promise<Admin> {
  const { host, port, metrics, isReady } = options;
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, type = "text/plain") => {
      response.writeHead(status, { "content-type": type }).end(body);
    };
    if (request.url === "/healthz") answer(200, "ok\n");
    else if (request.url === "/readyz")
      answer(isReady() ? 200 : 503, isReady() ? "ready\n" : "not ready\n");
    else if (request.url === "/metrics") {
      metrics.metrics().then(
        (text) => answer(200, text, metrics.contentType),
        () => answer(500, "metrics failed\n"),
      );
    } else answer(404, "not found\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Role } from "@localstreet/contracts/auth";
import { signToken } from "@localstreet/service-kit/sign-token";
import type { PrivateServer } from "@localstreet/stores/private-server";
import { CHECKOUT } from "./checkout.ts";
import { startGateway } from "./gateway.ts";
import { type GatewayPlanOptions, planGateway } from "./gateway-plan.ts";
import {
  allOrNothing,
  type LocalStores,
  routeStoreEnv,
  startStores,
  storeEnv,
} from "./local-stores.ts";
import type { Progress } from "./progress.ts";
import { type Replica, startReplica } from "./replica.ts";
import { loadAuthentication, loadStoreSecrets } from "./secrets.ts";
import { SERVICE_NAMES, type ServiceName } from "./services.ts";
import { startSimulator } from "./simulator.ts";
import { type Supervision, supervise } from "./supervise.ts";

export interface PlatformOptions extends GatewayPlanOptions {
  /** Holds everything that the platform writes. */
  readonly dataDir: string;
  /** Two of each when it is absent. */
  readonly replicas?: Partial<Record<ServiceName, number>>;
  /** Variables for the services; those that name addresses and credentials are set here. */
  readonly env?: NodeJS.ProcessEnv;
  readonly simulator?: boolean;
  /** 1 when it is absent; 3 or 5 make a cluster, whose streams have three copies. */
  readonly natsNodes?: number;
  /** Gives a replica another address for the store at `storeUrl`, that of a proxy for instance. */
  readonly routeStore?: (storeUrl: string, replicaName: string) => Promise<string>;
  /** `false`: quicker, and the data may not survive the machine's death. */
  readonly durable?: boolean;
  readonly progress?: Progress;
  /** Takes a line about everything that dies and comes back. */
  readonly log?: (line: string) => void;
  /** Runs while the stores start; its end is awaited before anything built is needed. */
  readonly build?: () => Promise<void>;
}

export interface Platform {
  /** The gateway, as in `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The same with TLS, when that was asked for. */
  readonly tls: { readonly url: string; readonly certificateFile: string } | undefined;
  readonly replicas: readonly Replica[];
  readonly stores: LocalStores;
  readonly gateway: PrivateServer;
  readonly logDir: string;
  /** Whether somebody else signs tokens (`AUTH_JWKS_FILE`, `AUTH_JWKS_URL`): then `signToken` throws. */
  readonly signsTokens: boolean;
  signToken(options: {
    role: Role;
    sub: string;
    vendors?: readonly string[];
    expiresInSeconds?: number;
  }): Promise<string>;
  replica(name: string): Replica;
  /** For servers and replicas by name (`nats`, `chat-ws-1`): what dies stays dead until `release`. */
  hold(name: string): void;
  release(name: string): void;
  /** Ends everything. Resolves when no process is left. */
  stop(): Promise<void>;
}

const LOCAL_DRAIN_MS = 5_000;

/**
 * The whole platform: private stores, replicas of every service behind the gateway, and on wish the simulator. All of
 * it is supervised. The services and the page must be built, or be built by `build`.
 *
 * @throws when a part does not start, with the last lines of its log; what had started is stopped.
 */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { dataDir, env = {}, durable = true, log = () => {}, build = async () => {} } = options;
  const { natsNodes = 1, routeStore = async (storeUrl: string) => storeUrl } = options;
  const step: Progress["step"] = options.progress?.step ?? ((_name, work) => work());
  const logDir = join(dataDir, "logs");
  rmSync(logDir, { recursive: true, force: true });
  mkdirSync(logDir, { recursive: true, mode: 0o700 });
  const logFile = (name: string) => join(logDir, `${name}.log`);

  const authentication = loadAuthentication(join(dataDir, "auth-secret"), env);
  const secrets = loadStoreSecrets(join(dataDir, "store-credentials.json"));
  const drainMs = Number(env.DRAIN_MS || LOCAL_DRAIN_MS);
  const withSimulator = options.simulator === true && authentication.secret !== undefined;

  const running: PrivateServer[] = [];
  const supervisions = new Map<string, Supervision>();
  const keep = <S extends PrivateServer>(server: S): S => {
    running.push(server);
    supervisions.set(server.name, supervise(server, { log }));
    return server;
  };
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= stopAll(running, [...supervisions.values()]);
    return stopping;
  };

  try {
    const plan = await planGateway({
      ...options,
      env,
      withSimulator,
      tlsDir: join(dataDir, "tls"),
      logFile: logFile("openssl"),
    });
    const building = build();
    // Awaited below; a failure before that is not an unhandled one.
    building.catch(() => {});
    const stores = await step("stores", () =>
      startStores({ dataDir, logFile, secrets, durable, natsNodes, keep }),
    );
    await building;
    await step("streams, buckets, tables and roles", async () => {
      // Reads generated code, which the build has made.
      const { provision } = await import("./provision.ts");
      await provision(stores, secrets);
    });

    const { url, tls } = plan;
    const shared = {
      DRAIN_MS: String(LOCAL_DRAIN_MS),
      ...env,
      ALLOWED_ORIGINS: plan.allowedOrigins.join(","),
      ...authentication.env,
    };
    const count = (service: ServiceName) => options.replicas?.[service] ?? 2;
    const replicas = await step("services", async () => {
      const wanted = SERVICE_NAMES.flatMap((service) =>
        Array.from({ length: count(service) }, (_, index) => ({ service, index: index + 1 })),
      );
      return await allOrNothing(
        wanted.map(async ({ service, index }) => {
          const name = `${service}-${index}`;
          const route = (storeUrl: string) => routeStore(storeUrl, name);
          const replica = await startReplica({
            service,
            name,
            dir: join(dataDir, "replicas", name),
            logFile: logFile(name),
            env: { ...shared, ...(await routeStoreEnv(storeEnv(service, stores), route)) },
            stopGraceMs: drainMs + 5_000,
          });
          return keep(replica);
        }),
      );
    });

    const directoryFile = join(dataDir, "directory.json");
    const gateway = await step("gateway", async () => {
      const upstreams = Object.fromEntries(
        SERVICE_NAMES.map((service) => [
          service,
          replicas
            .filter((replica) => replica.service === service)
            .map((replica) => `127.0.0.1:${replica.port}`),
        ]),
      ) as Record<ServiceName, string[]>;
      await plan.releasePorts();
      return keep(
        await startGateway({
          ...plan,
          dir: join(dataDir, "gateway"),
          logFile: logFile("gateway"),
          upstreams,
          webRoot: join(CHECKOUT, "services/web/dist"),
          ...(withSimulator ? { demoDirectoryFile: directoryFile } : {}),
        }),
      );
    });

    const { secret } = authentication;
    if (withSimulator && secret !== undefined) {
      await step("simulator", async () => {
        keep(
          await startSimulator({
            gatewayUrl: url,
            secret,
            directoryFile,
            dir: join(dataDir, "simulator"),
            logFile: logFile("simulator"),
            env,
            from: "dist",
          }),
        );
      });
    }

    const supervisionOf = (name: string) => {
      const supervision = supervisions.get(name);
      if (!supervision) throw new Error(`nothing here is called ${name}`);
      return supervision;
    };
    return {
      url,
      tls: tls && {
        url: tls.url,
        certificateFile: tls.certificate.certificateFile,
      },
      replicas,
      stores,
      gateway,
      logDir,
      signsTokens: secret !== undefined,
      async signToken(claims) {
        if (secret === undefined) throw new Error("with a key set somebody else signs tokens");
        const issuer = env.AUTH_ISSUER ? { issuer: env.AUTH_ISSUER } : {};
        return await signToken({ secret, ...issuer, ...claims });
      },
      replica(name) {
        const found = replicas.find((replica) => replica.name === name);
        if (!found) throw new Error(`no replica is called ${name}`);
        return found;
      },
      hold: (name) => supervisionOf(name).hold(),
      release: (name) => supervisionOf(name).release(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What depends on others first: the simulator, the gateway, the replicas, the stores. */
async function stopAll(running: PrivateServer[], supervisions: Supervision[]): Promise<void> {
  for (const supervision of supervisions) supervision.end();
  const layerOf = ({ name }: PrivateServer) =>
    ["simulator", "gateway"].includes(name)
      ? ["simulator", "gateway"].indexOf(name)
      : /^(nats|redis|postgres)(-\d+)?$/.test(name)
        ? 3
        : 2;
  for (const layer of [0, 1, 2, 3]) {
    const servers = running.filter((server) => layerOf(server) === layer);
    await Promise.all(servers.map((server) => server.stop()));
  }
}

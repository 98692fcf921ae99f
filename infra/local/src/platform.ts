import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Role } from "@localstreet/contracts/auth";
import { signToken } from "@localstreet/service-kit/sign-token";
import { type ReservedPort, reservePort } from "@localstreet/stores/free-port";
import type { PrivateServer } from "@localstreet/stores/private-server";
import { CHECKOUT } from "./checkout.ts";
import { DEFAULT_CONNECTIONS_PER_ADDRESS, startGateway } from "./gateway.ts";
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

export interface PlatformOptions {
  /** Holds everything that the platform writes. */
  readonly dataDir: string;
  /** Port of the gateway: this one and no other, or the first free one of `preferredPort` and any. */
  readonly port?: number | undefined;
  readonly preferredPort?: number;
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
  readonly replicas: readonly Replica[];
  readonly stores: LocalStores;
  readonly gateway: PrivateServer;
  readonly logDir: string;
  /** Whether somebody else signs tokens (`AUTH_JWKS_FILE`): then `signToken` throws. */
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
/** A browser with many tabs, a load test and the simulator all come from one address here. */
const CONNECTIONS_WITH_SIMULATOR = 5_000;

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
    const port = await reserveGatewayPort(options);
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

    const url = `http://127.0.0.1:${port.port}`;
    const shared = {
      DRAIN_MS: String(LOCAL_DRAIN_MS),
      ALLOWED_ORIGINS: `${url},http://localhost:${port.port}`,
      ...env,
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
      await port.release();
      return keep(
        await startGateway({
          dir: join(dataDir, "gateway"),
          port: port.port,
          logFile: logFile("gateway"),
          upstreams,
          connectionsPerAddress: connectionsPerAddress(env, withSimulator),
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
      replicas,
      stores,
      gateway,
      logDir,
      signsTokens: secret !== undefined,
      async signToken(claims) {
        if (secret === undefined) throw new Error("with AUTH_JWKS_FILE somebody else signs tokens");
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

async function reserveGatewayPort(options: PlatformOptions): Promise<ReservedPort> {
  const reserved = await reservePort(options.port ?? options.preferredPort ?? 0);
  if (reserved) return reserved;
  if (options.port !== undefined) throw new Error(`port ${options.port} is taken`);
  const other = await reservePort(0);
  if (!other) throw new Error("no port is free");
  return other;
}

function connectionsPerAddress(env: NodeJS.ProcessEnv, withSimulator: boolean): number {
  const text = env.GATEWAY_CONNECTIONS_PER_ADDRESS;
  if (!text) return withSimulator ? CONNECTIONS_WITH_SIMULATOR : DEFAULT_CONNECTIONS_PER_ADDRESS;
  if (!/^[1-9]\d{0,6}$/.test(text)) {
    throw new Error("GATEWAY_CONNECTIONS_PER_ADDRESS: must be a whole number from 1");
  }
  return Number(text);
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

import { join } from "node:path";
import { REDIS_GRANTS } from "@localstreet/contracts/grants";
import { startNatsCluster } from "@localstreet/stores/nats-cluster";
import { type NatsServer, startNats } from "@localstreet/stores/nats-server";
import { type PostgresServer, startPostgres } from "@localstreet/stores/postgres-server";
import type { PrivateServer } from "@localstreet/stores/private-server";
import { type RedisServer, startRedis } from "@localstreet/stores/redis-server";
import type { StoreSecrets } from "./secrets.ts";
import { SERVICES, type ServiceName } from "./services.ts";

/** The platform's database. */
export const DATABASE = "localstreet";

export interface LocalStores {
  /** The only NATS server, or the first node of the cluster: any of them says how to reach all. */
  readonly nats: NatsServer;
  readonly natsNodes: readonly NatsServer[];
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
}

/** Starts the three stores side by side. `keep` is told of each that runs, also when another one then fails. */
export async function startStores(options: {
  dataDir: string;
  logFile: (name: string) => string;
  secrets: StoreSecrets;
  durable: boolean;
  ports?: { nats: number; redis: number; postgres: number };
  /** 1 when it is absent, which is no cluster; else odd. */
  natsNodes?: number;
  keep: <S extends PrivateServer>(server: S) => S;
}): Promise<LocalStores> {
  const { dataDir, logFile, secrets, ports, durable, keep } = options;
  const settings = (name: "nats" | "redis" | "postgres") => ({
    dir: join(dataDir, name),
    logFile: logFile(name),
    port: ports?.[name],
    passwords: secrets[name],
  });
  const startNodes = async () => {
    const { natsNodes: nodes = 1 } = options;
    const servers =
      nodes === 1
        ? ([await startNats(settings("nats"))] as const)
        : await startNatsCluster({ ...settings("nats"), nodes, logFile });
    for (const server of servers) keep(server);
    return servers;
  };
  const [natsNodes, redis, postgres] = await allOrNothing([
    startNodes(),
    startRedis(settings("redis")).then((server) => keep(server)),
    startPostgres({ ...settings("postgres"), durable }).then((server) => keep(server)),
  ]);
  return { nats: natsNodes[0], natsNodes, redis, postgres };
}

/** Replaces the stores' addresses in a service's environment by those that `route` gives for them. */
export async function routeStoreEnv(
  env: Readonly<Record<string, string>>,
  route: (storeUrl: string) => Promise<string>,
): Promise<Record<string, string>> {
  const routed = { ...env };
  for (const name of ["NATS_URL", "REDIS_URL", "DATABASE_URL"]) {
    const urls = env[name];
    if (urls === undefined) continue;
    routed[name] = (await Promise.all(urls.split(",").map(route))).join(",");
  }
  return routed;
}

/** Where a service finds the stores that it is given, with its own credentials. */
export function storeEnv(service: ServiceName, stores: LocalStores): Record<string, string> {
  const nats = stores.nats.as(service);
  return {
    NATS_URL: nats.servers.join(","),
    NATS_USER: nats.user,
    NATS_PASSWORD: nats.password,
    ...(REDIS_GRANTS[service] ? { REDIS_URL: stores.redis.url(service) } : {}),
    ...(SERVICES[service].postgres ? { DATABASE_URL: stores.postgres.url(service, DATABASE) } : {}),
  };
}

/** Like `Promise.all`, but when one fails the others are no longer on their way. */
export async function allOrNothing<T extends readonly unknown[] | []>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

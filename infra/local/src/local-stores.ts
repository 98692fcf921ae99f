import { join } from "node:path";
import { REDIS_GRANTS } from "@localstreet/contracts/grants";
import { type NatsServer, startNats } from "@localstreet/stores/nats-server";
import { type PostgresServer, startPostgres } from "@localstreet/stores/postgres-server";
import type { PrivateServer } from "@localstreet/stores/private-server";
import { type RedisServer, startRedis } from "@localstreet/stores/redis-server";
import type { StoreSecrets } from "./secrets.ts";
import { SERVICES, type ServiceName } from "./services.ts";

/** The platform's database. */
export const DATABASE = "localstreet";

export interface LocalStores {
  readonly nats: NatsServer;
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
  keep: <S extends PrivateServer>(server: S) => S;
}): Promise<LocalStores> {
  const { dataDir, logFile, secrets, ports, durable, keep } = options;
  const settings = (name: keyof LocalStores) => ({
    dir: join(dataDir, name),
    logFile: logFile(name),
    port: ports?.[name],
    passwords: secrets[name],
  });
  const [nats, redis, postgres] = await allOrNothing([
    startNats(settings("nats")).then((server) => keep(server)),
    startRedis(settings("redis")).then((server) => keep(server)),
    startPostgres({ ...settings("postgres"), durable }).then((server) => keep(server)),
  ]);
  return { nats, redis, postgres };
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

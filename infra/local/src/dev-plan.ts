import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REDIS_GRANTS } from "@localstreet/contracts/grants";
import { findFreePort } from "@localstreet/stores/free-port";
import { CHECKOUT } from "./checkout.ts";
import { originsAt } from "./gateway-plan.ts";
import { DATABASE } from "./local-stores.ts";
import {
  type Authentication,
  loadAuthentication,
  loadStoreSecrets,
  type StoreSecrets,
} from "./secrets.ts";
import { SERVICE_NAMES, SERVICES, type ServiceName } from "./services.ts";

/** Apart from the data of `npm start`, so that both may run. */
export const DEV_DIR = join(CHECKOUT, ".localstreet/dev");

/** Where vite listens unless that is taken. */
const PAGE_PORT = 5173;

type PortName = "gateway" | "nats" | "redis" | "postgres" | ServiceName | `${ServiceName}-admin`;

/** Who listens where in `pnpm dev`, with which credentials: agreed on before anything starts, kept between runs. */
export interface DevPlan {
  readonly ports: Readonly<Record<PortName, number>>;
  readonly secrets: StoreSecrets;
  readonly authentication: Authentication;
}

const PORT_NAMES: readonly PortName[] = [
  "gateway",
  "nats",
  "redis",
  "postgres",
  ...SERVICE_NAMES,
  ...SERVICE_NAMES.map((service) => `${service}-admin` as const),
];

export async function loadDevPlan(): Promise<DevPlan> {
  mkdirSync(DEV_DIR, { recursive: true, mode: 0o700 });
  const file = join(DEV_DIR, "ports.json");
  let ports: Record<string, number> = {};
  try {
    ports = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // The first time.
  }
  for (const name of PORT_NAMES) ports[name] ??= await findFreePort();
  writeFileSync(file, `${JSON.stringify(ports, null, 2)}\n`);
  return {
    ports: ports as DevPlan["ports"],
    secrets: loadStoreSecrets(join(DEV_DIR, "store-credentials.json")),
    authentication: loadAuthentication(join(DEV_DIR, "auth-secret"), process.env),
  };
}

/** Where the page comes from: the gateway, or vite. */
export function devOrigins(ports: DevPlan["ports"]): string[] {
  return [ports.gateway, PAGE_PORT].flatMap((port) => originsAt("http", port));
}

/** The environment of a service under `pnpm dev`. */
export function devEnv(service: ServiceName, plan: DevPlan): Record<string, string> {
  const { ports, secrets } = plan;
  return {
    HOST: "127.0.0.1",
    PORT: String(ports[service]),
    ADMIN_PORT: String(ports[`${service}-admin`]),
    REPLICA_NAME: `${service}-1`,
    ALLOWED_ORIGINS: devOrigins(ports).join(","),
    // A changed file is live soon, also while streams are open.
    DRAIN_MS: "500",
    ...plan.authentication.env,
    NATS_URL: `nats://127.0.0.1:${ports.nats}`,
    NATS_USER: service,
    NATS_PASSWORD: secrets.nats[service],
    ...(REDIS_GRANTS[service]
      ? { REDIS_URL: `redis://${service}:${secrets.redis[service]}@127.0.0.1:${ports.redis}` }
      : {}),
    ...(SERVICES[service].postgres
      ? {
          DATABASE_URL: `postgres://${service}:${secrets.postgres[service]}@127.0.0.1:${ports.postgres}/${DATABASE}`,
        }
      : {}),
  };
}

/** The file that a service's `dev` script reads (`node --env-file`). */
export function writeEnvFile(name: string, env: Readonly<Record<string, string>>): void {
  const lines = Object.entries(env).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  writeFileSync(join(DEV_DIR, `${name}.env`), `${lines.join("\n")}\n`, { mode: 0o600 });
}

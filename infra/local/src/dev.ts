// What `turbo dev` does not restart: the stores, the gateway and the simulator. The services run beside it, from source.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { raise } from "@localstreet/contracts/raise";
import type { PrivateServer } from "@localstreet/stores/private-server";
import { CHECKOUT } from "./checkout.ts";
import { DEV_DIR, devOrigins, loadDevPlan } from "./dev-plan.ts";
import { ensurePrograms, STORE_PROGRAMS } from "./ensure-programs.ts";
import { startGateway } from "./gateway.ts";
import { startStores } from "./local-stores.ts";
import { acquireLock } from "./lock.ts";
import { provision } from "./provision.ts";
import { SERVICE_NAMES, type ServiceName } from "./services.ts";
import { startSimulator } from "./simulator.ts";
import { supervise } from "./supervise.ts";

const CONNECTIONS_PER_ADDRESS = 5_000;
const REQUESTS_PER_ADDRESS = 20_000;
const READY_POLL_MS = 200;

const say = (line: string) => console.log(line);
const logDir = join(DEV_DIR, "logs");
const logFile = (name: string) => join(logDir, `${name}.log`);
const running: PrivateServer[] = [];
const ends: (() => void)[] = [];

function keep<S extends PrivateServer>(server: S): S {
  running.unshift(server);
  ends.push(supervise(server, { log: say }).end);
  return server;
}

let isStopping = false;
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  for (const end of ends) end();
  // Newest first: the simulator, the gateway, the stores.
  for (const server of running) await server.stop();
  process.exit(0);
}

async function servicesReady(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    while (!(await isReady(port))) {
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }
}

async function isReady(adminPort: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/readyz`, {
      signal: AbortSignal.timeout(2_000),
    });
    return answer.ok;
  } catch {
    return false;
  }
}

const lock = acquireLock(join(DEV_DIR, "lock"));
if (lock.kind === "held") {
  console.error(`pnpm dev of this checkout runs already (process ${lock.pid}).`);
  process.exit(1);
}
process.once("exit", () => lock.release());
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    stop().catch(raise);
  });

mkdirSync(logDir, { recursive: true });
await ensurePrograms(STORE_PROGRAMS, { log: say, logFile: logFile("apt-get") });
const { ports, secrets, authentication } = await loadDevPlan();
const stores = await startStores({
  dataDir: DEV_DIR,
  logFile,
  secrets,
  durable: true,
  ports,
  keep,
});
await provision(stores, secrets);
const upstreams = Object.fromEntries(
  SERVICE_NAMES.map((service) => [service, [`127.0.0.1:${ports[service]}`]]),
) as Record<ServiceName, string[]>;
const directoryFile = join(DEV_DIR, "directory.json");
keep(
  await startGateway({
    dir: join(DEV_DIR, "gateway"),
    port: ports.gateway,
    logFile: logFile("gateway"),
    upstreams,
    connectionsPerAddress: CONNECTIONS_PER_ADDRESS,
    requestsPerAddress: REQUESTS_PER_ADDRESS,
    allowedOrigins: devOrigins(ports),
    webRoot: join(CHECKOUT, "services/web/dist"),
    demoDirectoryFile: directoryFile,
  }),
);
const gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
say(`Stores and gateway are up: ${gatewayUrl}  Logs: ${logDir}`);
if (authentication.secret === undefined) {
  say("No simulator: AUTH_JWKS_FILE or AUTH_JWKS_URL says that somebody else signs tokens.");
} else {
  await servicesReady(SERVICE_NAMES.map((service) => ports[`${service}-admin`]));
  keep(
    await startSimulator({
      gatewayUrl,
      secret: authentication.secret,
      directoryFile,
      dir: join(DEV_DIR, "simulator"),
      logFile: logFile("simulator"),
      env: process.env,
      from: "source",
    }),
  );
  say("The simulator runs.");
}

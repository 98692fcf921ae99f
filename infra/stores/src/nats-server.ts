import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { NATS_GRANTS, STORE_USERS } from "@localstreet/contracts/grants";
import { requireBinary } from "./binaries.ts";
import type { StoreAccount, StorePasswords } from "./credentials.ts";
import { findFreePort } from "./free-port.ts";
import { type PrivateServer, startPrivateServer } from "./private-server.ts";

export interface NatsServer extends PrivateServer {
  /** `nats://127.0.0.1:<port>`, without a user. */
  readonly url: string;
  /** Where the server that runs now is monitored (`/varz`, `/jsz`), over HTTP. */
  monitorUrl(): string;
  /** How `account` connects: in a cluster, to any of its nodes. */
  as(account: StoreAccount): { servers: string[]; user: string; password: string };
}

/** The place of one node among the others. */
export interface NatsClusterNode {
  /** Unique in the cluster. */
  readonly name: string;
  /** Where this node listens for the others. */
  readonly routePort: number;
  /** Of all nodes. */
  readonly routePorts: readonly number[];
  /** Where clients find the nodes, all of them. */
  readonly clientPorts: readonly number[];
}

/**
 * One nats-server with JetStream on disk and a user for each service that may do what `NATS_GRANTS` says. As a node of a
 * cluster it is ready when enough of the others are, so they are started side by side.
 */
export async function startNats(options: {
  dir: string;
  port?: number | undefined;
  logFile?: string | undefined;
  passwords: StorePasswords;
  cluster?: NatsClusterNode;
}): Promise<NatsServer> {
  const { cluster } = options;
  const binary = requireBinary("nats-server");
  let monitorUrl = "";
  const server = await startPrivateServer({
    name: cluster?.name ?? "nats",
    dir: options.dir,
    port: options.port,
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    async prepare(dir, port) {
      const monitorPort = await findFreePort();
      monitorUrl = `http://127.0.0.1:${monitorPort}`;
      const config = natsConfig({ dir, port, monitorPort, passwords: options.passwords, cluster });
      const file = join(dir, "nats.conf");
      writeFileSync(file, config, { mode: 0o600 });
      return { command: binary, args: ["-c", file] };
    },
    // Healthy means that JetStream has recovered its streams as well.
    async isReady() {
      try {
        const response = await fetch(`${monitorUrl}/healthz`, {
          signal: AbortSignal.timeout(2_000),
        });
        await response.body?.cancel();
        return response.ok;
      } catch {
        return false;
      }
    },
  });
  const urlOf = (port: number) => `nats://127.0.0.1:${port}`;
  const url = urlOf(server.port);
  return Object.assign(server, {
    url,
    monitorUrl: () => monitorUrl,
    as: (account: StoreAccount) => ({
      servers: cluster ? cluster.clientPorts.map(urlOf) : [url],
      user: account,
      password: options.passwords[account],
    }),
  });
}

function natsConfig(options: {
  dir: string;
  port: number;
  monitorPort: number;
  passwords: StorePasswords;
  cluster: NatsClusterNode | undefined;
}): string {
  const quote = (text: string) => JSON.stringify(text);
  const list = (subjects: readonly string[]) => `[${subjects.map(quote).join(", ")}]`;
  const users = STORE_USERS.map((user) => {
    const grant = NATS_GRANTS[user];
    return `    {
      user: ${quote(user)}, password: ${quote(options.passwords[user])}
      permissions: { publish: ${list(grant.publish)}, subscribe: ${list(grant.subscribe)} }
    }`;
  });
  return `listen: "127.0.0.1:${options.port}"
http: "127.0.0.1:${options.monitorPort}"
server_name: ${quote(options.cluster?.name ?? "localstreet")}
ping_interval: "5s"
ping_max: 2
# Stated, or the server reserves by the size of the disk and refuses streams on a small one.
jetstream { store_dir: ${quote(join(options.dir, "jetstream"))}, max_file_store: 16GB }
authorization {
  users: [
    { user: "admin", password: ${quote(options.passwords.admin)} }
${users.join("\n")}
  ]
}
${options.cluster ? clusterBlock(options.cluster, options.passwords.admin) : ""}`;
}

function clusterBlock(cluster: NatsClusterNode, password: string): string {
  const routes = cluster.routePorts.map(
    (port) => `"nats-route://node:${password}@127.0.0.1:${port}"`,
  );
  return `cluster {
  name: "localstreet"
  listen: "127.0.0.1:${cluster.routePort}"
  authorization { user: "node", password: ${JSON.stringify(password)} }
  # Clients use the addresses that they were given, and no others.
  no_advertise: true
  routes: [${routes.join(", ")}]
}
`;
}

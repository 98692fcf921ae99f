import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { requireBinary } from "@localstreet/stores/binaries";
import { type PrivateServer, startPrivateServer } from "@localstreet/stores/private-server";
import { chooseUnprivileged } from "@localstreet/stores/unprivileged";
import { CHECKOUT } from "./checkout.ts";
import type { ServiceName } from "./services.ts";

/** `PROTOCOL.md` E8. */
export const DEFAULT_CONNECTIONS_PER_ADDRESS = 100;

export interface GatewaySettings {
  /** Host and port, as in `127.0.0.1:8080`. */
  readonly listen: string;
  /** Every replica of every service, as `host:port`. */
  readonly upstreams: Readonly<Record<ServiceName, readonly string[]>>;
  readonly connectionsPerAddress: number;
  /** The built web application. */
  readonly webRoot: string;
  /** What the simulator tells the page, tokens included. Served to this machine only. */
  readonly demoDirectoryFile?: string | undefined;
}

/** nginx's configuration: the template of infra/gateway with its variables filled in. */
export function renderGatewayConfig(settings: GatewaySettings): string {
  const template = readFileSync(join(CHECKOUT, "infra/gateway/nginx.conf.template"), "utf8");
  const variables: Record<string, string> = {
    LISTEN: settings.listen,
    CONNECTIONS_PER_ADDRESS: String(settings.connectionsPerAddress),
    WEB_ROOT: JSON.stringify(settings.webRoot),
    UPSTREAMS: Object.entries(settings.upstreams).map(upstreamBlock).join("\n"),
    DEMO_DIRECTORY:
      settings.demoDirectoryFile === undefined
        ? "    location ^~ /demo/ { return 404; }"
        : `    location = /demo/directory.json {
      if ($is_this_machine = 0) { return 404; }
      alias ${JSON.stringify(settings.demoDirectoryFile)};
    }`,
  };
  return template.replace(/\$\{([A-Z_]+)\}/g, (placeholder, name: string) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`nginx.conf.template: nothing fills ${placeholder}`);
    return value;
  });
}

function upstreamBlock([service, addresses]: [string, readonly string[]]): string {
  const servers = addresses.map((address) => `    server ${address} max_fails=0;`);
  return `  upstream ${service} {
    zone ${service} 64k;
    least_conn;
${servers.join("\n")}
    keepalive 64;
    keepalive_timeout 30s;
  }`;
}

/** Runs nginx in `dir` until it is stopped. */
export async function startGateway(
  options: Omit<GatewaySettings, "listen"> & {
    dir: string;
    port?: number | undefined;
    logFile?: string | undefined;
  },
): Promise<PrivateServer> {
  const nginx = requireBinary("nginx");
  const unprivileged = chooseUnprivileged();
  return await startPrivateServer({
    name: "gateway",
    dir: options.dir,
    port: options.port,
    logFile: options.logFile,
    // Fast: open streams end with it.
    stopSignal: "SIGTERM",
    async prepare(dir, port) {
      for (const folder of ["run", "logs", "tmp"]) {
        mkdirSync(join(dir, folder), { recursive: true });
        unprivileged.makeDir(join(dir, folder));
      }
      const config = renderGatewayConfig({ ...options, listen: `127.0.0.1:${port}` });
      writeFileSync(join(dir, "nginx.conf"), config);
      return {
        prefix: unprivileged.prefix,
        command: nginx,
        args: ["-p", dir, "-c", "nginx.conf", "-e", "stderr"],
        // Its workers outlive a master that is killed.
        orphanSignal: "SIGTERM",
      };
    },
    isReady: (_dir, port) => accepts(port),
  });
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1_000 });
    const finish = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
    socket.once("timeout", () => finish(false));
  });
}

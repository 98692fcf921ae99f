import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { isOrigin } from "@localstreet/service-kit/cors";
import { requireBinary } from "@localstreet/stores/binaries";
import { type PrivateServer, startPrivateServer } from "@localstreet/stores/private-server";
import { chooseUnprivileged } from "@localstreet/stores/unprivileged";
import type { Certificate } from "./certificate.ts";
import { CHECKOUT } from "./checkout.ts";
import type { ServiceName } from "./services.ts";

/** `PROTOCOL.md` E8. */
export const DEFAULT_CONNECTIONS_PER_ADDRESS = 100;

/** `PROTOCOL.md` E21: twenty people of one office, each at the limit of E19. */
export const DEFAULT_REQUESTS_PER_ADDRESS = 1_000;

/** A connection without a byte from its service for so long is over: keepalives and pings come every 25 s. */
const STREAM_IDLE_MS = 35_000;

export interface GatewaySettings {
  /** Host and port, as in `127.0.0.1:8080`. */
  readonly listen: string;
  /** Where the same is served with TLS, over HTTP/2 to those who speak it. */
  readonly tls?: { readonly listen: string; readonly certificate: Certificate } | undefined;
  /** Every replica of every service, as `host:port`. */
  readonly upstreams: Readonly<Record<ServiceName, readonly string[]>>;
  readonly connectionsPerAddress: number;
  /** A second; twice as many may come at once. */
  readonly requestsPerAddress: number;
  /** Origins whose pages may read what the gateway itself answers (PROTOCOL.md E11). */
  readonly allowedOrigins: readonly string[];
  /** 35 s when it is absent. */
  readonly streamIdleMs?: number | undefined;
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
    TLS: settings.tls === undefined ? "" : tlsListener(settings.tls),
    CONNECTIONS_PER_ADDRESS: String(settings.connectionsPerAddress),
    REQUESTS_PER_ADDRESS: String(settings.requestsPerAddress),
    REQUESTS_BURST: String(settings.requestsPerAddress * 2),
    ALLOWED_ORIGINS: settings.allowedOrigins.map(originLine).join("\n"),
    STREAM_IDLE: `${settings.streamIdleMs ?? STREAM_IDLE_MS}ms`,
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

/**
 * No `Strict-Transport-Security`: a browser would then let nobody past the warning about a certificate that is signed
 * by itself, and would refuse the plain port of the same host.
 */
function tlsListener({ listen, certificate }: NonNullable<GatewaySettings["tls"]>): string {
  return `    listen ${listen} ssl http2;
    ssl_certificate ${JSON.stringify(certificate.certificateFile)};
    ssl_certificate_key ${JSON.stringify(certificate.keyFile)};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:1m;
    ssl_session_timeout 1h;`;
}

/** @throws for what is no origin: it would become part of nginx's configuration. */
function originLine(origin: string): string {
  if (!isOrigin(origin)) throw new Error(`ALLOWED_ORIGINS: ${origin} is no origin`);
  return `    ${JSON.stringify(origin)} $http_origin;`;
}

/** Runs nginx in `dir` until it is stopped. */
export async function startGateway(
  options: Omit<GatewaySettings, "listen" | "tls"> & {
    dir: string;
    port?: number | undefined;
    tls?: { readonly port: number; readonly certificate: Certificate } | undefined;
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
      const { tls } = options;
      const config = renderGatewayConfig({
        ...options,
        listen: `127.0.0.1:${port}`,
        tls: tls && { listen: `127.0.0.1:${tls.port}`, certificate: tls.certificate },
      });
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

import { existsSync } from "node:fs";
import { join } from "node:path";
import { findFreePort } from "@localstreet/stores/free-port";
import { type PrivateServer, startPrivateServer } from "@localstreet/stores/private-server";
import { CHECKOUT } from "./checkout.ts";
import type { ServiceName } from "./services.ts";

/** One running replica of a service. */
export interface Replica extends PrivateServer {
  readonly service: ServiceName;
  /** Straight to the replica, past the gateway. */
  readonly url: string;
  /** `/healthz`, `/readyz`, `/metrics`. Another one after a restart. */
  readonly adminUrl: string;
}

/**
 * Runs the built service and waits until it is ready.
 *
 * @throws when it is not built, or does not become ready: with the last lines of its log.
 */
export async function startReplica(options: {
  service: ServiceName;
  name: string;
  dir: string;
  logFile: string;
  env: Readonly<Record<string, string | undefined>>;
  /** How long it may take to end by itself. */
  stopGraceMs: number;
}): Promise<Replica> {
  const main = join(CHECKOUT, "services", options.service, "dist/main.js");
  if (!existsSync(main)) throw new Error(`${options.service} is not built: pnpm build`);
  let adminUrl = "";
  const server = await startPrivateServer({
    name: options.name,
    dir: options.dir,
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    stopGraceMs: options.stopGraceMs,
    async prepare(_dir, port) {
      const adminPort = await findFreePort();
      adminUrl = `http://127.0.0.1:${adminPort}`;
      const env = {
        ...options.env,
        HOST: "127.0.0.1",
        PORT: String(port),
        ADMIN_PORT: String(adminPort),
        REPLICA_NAME: options.name,
      };
      return { command: process.execPath, args: [main], env };
    },
    async isReady() {
      try {
        const response = await fetch(`${adminUrl}/readyz`, { signal: AbortSignal.timeout(2_000) });
        await response.body?.cancel();
        return response.ok;
      } catch {
        return false;
      }
    },
  });
  return Object.defineProperties(server, {
    service: { value: options.service },
    url: { value: `http://127.0.0.1:${server.port}` },
    adminUrl: { get: () => adminUrl },
  }) as Replica;
}

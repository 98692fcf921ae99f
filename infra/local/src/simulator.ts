import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type PrivateServer, startPrivateServer } from "@localstreet/stores/private-server";
import { CHECKOUT } from "./checkout.ts";

/** Runs the built simulator against `gatewayUrl`. It is ready once the page can read who there is to look at. */
export async function startSimulator(options: {
  gatewayUrl: string;
  secret: string;
  directoryFile: string;
  dir: string;
  logFile: string;
  env: Readonly<Record<string, string | undefined>>;
}): Promise<PrivateServer> {
  const main = join(CHECKOUT, "loadtests/simulator/dist/main.js");
  return await startPrivateServer({
    name: "simulator",
    dir: options.dir,
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    stopGraceMs: 5_000,
    async prepare() {
      rmSync(options.directoryFile, { force: true });
      return {
        command: process.execPath,
        args: [main, "--gateway", options.gatewayUrl, "--directory", options.directoryFile],
        env: { ...options.env, AUTH_JWT_SECRET: options.secret },
      };
    },
    isReady: async () => existsSync(options.directoryFile),
  });
}

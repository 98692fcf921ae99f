import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type PrivateServer, startPrivateServer } from "@localstreet/stores/private-server";
import { CHECKOUT } from "./checkout.ts";

/** Runs the simulator against `gatewayUrl`. It is ready once the page can read who there is to look at. */
export async function startSimulator(options: {
  gatewayUrl: string;
  secret: string;
  directoryFile: string;
  dir: string;
  logFile: string;
  env: Readonly<Record<string, string | undefined>>;
  from: "dist" | "source";
}): Promise<PrivateServer> {
  const folder = join(CHECKOUT, "loadtests/simulator");
  const program =
    options.from === "dist"
      ? [join(folder, "dist/main.js")]
      : [
          "--conditions=source",
          `--import=${import.meta.resolve("tsx")}`,
          join(folder, "src/main.ts"),
        ];
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
        args: [
          ...program,
          ...["--gateway", options.gatewayUrl, "--directory", options.directoryFile],
          ...(options.env.SIMULATOR_SEED ? ["--seed", options.env.SIMULATOR_SEED] : []),
          ...(options.env.SIMULATOR_SPEED ? ["--speed", options.env.SIMULATOR_SPEED] : []),
        ],
        env: { ...options.env, AUTH_JWT_SECRET: options.secret },
      };
    },
    isReady: async () => existsSync(options.directoryFile),
  });
}

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lastLines, startProcess } from "@localstreet/stores/processes";

const BASELINES = fileURLToPath(new URL("../dist/baselines/", import.meta.url));
const START_TIMEOUT_MS = 15_000;

export interface BaselineProcess {
  readonly pid: number;
  readonly port: number;
  readonly controlPort: number;
  stop(): Promise<void>;
}

/**
 * Starts one server to compare with; it says in a line of JSON where it listens. It ends with this process.
 *
 * @throws with the last lines of its log when it does not come up.
 */
export async function startBaseline(options: {
  /** Tells its log from others'. */
  name: string;
  dir: string;
  /** A file of `baselines`, without its extension, or any other program. */
  program: string | { command: string; args: readonly string[] };
  env?: NodeJS.ProcessEnv;
}): Promise<BaselineProcess> {
  const { name, dir, program } = options;
  mkdirSync(dir, { recursive: true });
  const logFile = join(dir, `${name}-${Date.now()}.log`);
  const launch =
    typeof program === "string"
      ? { command: process.execPath, args: [join(BASELINES, `${program}.js`)] }
      : program;
  const server = await startProcess({
    name,
    ...launch,
    cwd: dir,
    env: { PATH: process.env.PATH, ...options.env },
    logFile,
  });
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const line = readFileSync(logFile, "utf8")
      .split("\n")
      .find((text) => text.startsWith("{") && text.endsWith("}"));
    if (line !== undefined) {
      const { port, controlPort = 0 } = JSON.parse(line) as { port: number; controlPort?: number };
      return {
        pid: server.pid,
        port,
        controlPort,
        stop: () => server.stop("SIGKILL", 0),
      };
    }
    if (server.exit || performance.now() > deadline) {
      await server.stop("SIGKILL", 0);
      throw new Error(`${name} did not start:\n${lastLines(logFile)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

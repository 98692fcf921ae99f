import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lastLines, type RunningProcess, startProcess } from "@localstreet/stores/processes";
import type { Figures } from "./generator/specs.ts";
import { COLLECTOR_OPTION } from "./lab.ts";

const BASELINES = fileURLToPath(new URL("../dist/baselines/", import.meta.url));
const START_TIMEOUT_MS = 15_000;
const MEASURE_TIMEOUT_MS = 60_000;
let launches = 0;

export interface BaselineProcess {
  readonly pid: number;
  readonly port: number;
  readonly controlPort: number;
  stop(): Promise<void>;
}

interface BaselineOptions {
  /** Tells its log from others'. */
  readonly name: string;
  readonly dir: string;
  /** A file of `baselines`, without its extension, or any other program. */
  readonly program: string | { readonly command: string; readonly args: readonly string[] };
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts one server to compare with; it says in a line of JSON where it listens. It ends with this process.
 *
 * @throws with the last lines of its log when it does not come up.
 */
export async function startBaseline(options: BaselineOptions): Promise<BaselineProcess> {
  const { server, logFile } = await launch(options);
  const told = await untilTold(options.name, server, logFile, START_TIMEOUT_MS);
  const { port, controlPort = 0 } = told as { port: number; controlPort?: number };
  return { pid: server.pid, port, controlPort, stop: () => server.stop("SIGKILL", 0) };
}

/** Runs a program that measures itself and tells its figures in a line of JSON. */
export async function runToFigures(options: BaselineOptions): Promise<Figures> {
  const { server, logFile } = await launch(options);
  const told = await untilTold(options.name, server, logFile, MEASURE_TIMEOUT_MS);
  await server.stop("SIGTERM", 2_000);
  return told as Figures;
}

async function launch({ name, dir, program, env }: BaselineOptions) {
  mkdirSync(dir, { recursive: true });
  launches++;
  const logFile = join(dir, `${name}-${launches}.log`);
  const what =
    typeof program === "string"
      ? { command: process.execPath, args: [join(BASELINES, `${program}.js`)] }
      : program;
  const withPath = { PATH: process.env.PATH, NODE_OPTIONS: COLLECTOR_OPTION, ...env };
  return {
    logFile,
    server: await startProcess({ name, ...what, cwd: dir, env: withPath, logFile }),
  };
}

async function untilTold(
  name: string,
  server: RunningProcess,
  logFile: string,
  timeoutMs: number,
): Promise<object> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const line = readFileSync(logFile, "utf8")
      .split("\n")
      .find((text) => text.startsWith("{") && text.endsWith("}"));
    if (line !== undefined) return JSON.parse(line);
    if (server.exit || performance.now() > deadline) {
      await server.stop("SIGKILL", 0);
      throw new Error(`${name} did not start:\n${lastLines(logFile)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

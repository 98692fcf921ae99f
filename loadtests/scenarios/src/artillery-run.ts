import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeTempDir } from "./temp-dir.ts";
import type { Report } from "./verdict.ts";

const PROGRAM = fileURLToPath(new URL("bin/run", import.meta.resolve("artillery/package.json")));
const PACKAGE_DIR = fileURLToPath(new URL("..", import.meta.url));
const KEPT_OUTPUT_CHARS = 4_000;
const CPU_SAMPLE_MS = 500;
/** USER_HZ, 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10;

export interface ArtilleryResult {
  readonly report: Report;
  /** Conditions of the script's `ensure` that were not met. */
  readonly failedChecks: readonly string[];
  /** Processor time of Artillery, in milliseconds. */
  readonly cpuMs: number;
}

/**
 * Runs one scenario file of this package against `url`.
 *
 * @param options.overrides is laid over the script.
 * @throws when Artillery fails or takes longer than `timeoutMs`, with the end of what it printed.
 */
export async function runArtillery(options: {
  script: string;
  url: string;
  timeoutMs: number;
  env: Readonly<Record<string, string>>;
  overrides?: object;
}): Promise<ArtilleryResult> {
  const { script, url, timeoutMs, overrides } = options;
  using dir = makeTempDir("localstreet-artillery-");
  const reportFile = join(dir.path, "report.json");
  const args = [PROGRAM, "run", script, "--target", url, "--output", reportFile];
  if (overrides) args.push("--overrides", JSON.stringify(overrides));
  const artillery = spawn(process.execPath, args, {
    cwd: PACKAGE_DIR,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      ...options.env,
      FORCE_COLOR: "0",
      // The visitors of a run share what they know, so they live in one thread.
      WORKERS: "1",
      // The steps and the packages that they use run from source.
      NODE_OPTIONS: "--conditions=source",
    },
  });
  let output = "";
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-KEPT_OUTPUT_CHARS);
  };
  artillery.stdout.on("data", keep);
  artillery.stderr.on("data", keep);
  const endWithUs = () => artillery.kill("SIGKILL");
  process.once("exit", endWithUs);
  let ending = "was ended by somebody else";
  const timer = setTimeout(() => {
    ending = `took longer than ${timeoutMs / 1_000} s`;
    endWithUs();
  }, timeoutMs);
  let cpuMs = 0;
  const watching = setInterval(() => {
    cpuMs = Math.max(cpuMs, cpuMsOf(artillery.pid));
  }, CPU_SAMPLE_MS);
  const [code, signal] = await once(artillery, "close");
  clearTimeout(timer);
  clearInterval(watching);
  process.off("exit", endWithUs);
  if (signal) throw new Error(`Artillery ${ending}:\n${output}`);
  // What it prints last.
  const failedChecks = [...output.matchAll(/^fail: (.+)$/gm)].map(([, check]) => String(check));
  if (code !== 0 && failedChecks.length === 0) {
    throw new Error(`Artillery ended with ${code}:\n${output}`);
  }
  return {
    report: JSON.parse(await readFile(reportFile, "utf8")) as Report,
    failedChecks,
    cpuMs,
  };
}

/** Processor time of a process with all of its threads (proc(5)); 0 where nobody can tell. */
function cpuMsOf(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return 0;
  }
}

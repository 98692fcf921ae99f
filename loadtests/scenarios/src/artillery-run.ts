import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Target } from "./target.ts";
import type { Report } from "./verdict.ts";

const PROGRAM = fileURLToPath(new URL("bin/run", import.meta.resolve("artillery/package.json")));
const PACKAGE_DIR = fileURLToPath(new URL("..", import.meta.url));
const KEPT_OUTPUT_CHARS = 4_000;

/**
 * Runs one scenario file against `target`.
 *
 * @throws when Artillery fails or takes longer than `timeoutMs`, with the end of what it printed.
 */
export async function runArtillery(
  script: string,
  target: Target,
  timeoutMs: number,
): Promise<Report> {
  const dir = await mkdtemp(join(tmpdir(), "localstreet-loadtest-"));
  const reportFile = join(dir, "report.json");
  try {
    const args = [PROGRAM, "run", script, "--target", target.url, "--output", reportFile];
    const artillery = spawn(process.execPath, args, {
      cwd: PACKAGE_DIR,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        AUTH_JWT_SECRET: target.secret,
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
    const timer = setTimeout(endWithUs, timeoutMs);
    const [code, signal] = await once(artillery, "close");
    clearTimeout(timer);
    process.off("exit", endWithUs);
    if (signal) throw new Error(`Artillery took longer than ${timeoutMs / 1_000} s:\n${output}`);
    if (code !== 0) throw new Error(`Artillery ended with ${code}:\n${output}`);
    return JSON.parse(await readFile(reportFile, "utf8")) as Report;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

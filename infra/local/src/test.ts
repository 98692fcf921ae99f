import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { BROWSER, ensurePrograms, STORE_PROGRAMS } from "./ensure-programs.ts";
import { pnpmExec, QUIET_TOOLS } from "./pnpm.ts";
import { createProgress } from "./progress.ts";
import { runCommand } from "./run-command.ts";
import { formatTotals, parseTotals } from "./totals-reporter.ts";

const LOG_DIR = join(CHECKOUT, ".localstreet/test");
const CHECK_TIMEOUT_MS = 300_000;
const TESTS_TIMEOUT_MS = 1_800_000;

const say = (line: string) => console.log(line);
const progress = createProgress(say);
const totals = { passed: 0, failed: 0, skipped: 0 };

/** One step, counted as one test. A step that fails does not keep the next ones from running. */
async function check(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await progress.step(name, work);
    totals.passed += 1;
  } catch (error) {
    totals.failed += 1;
    say(`\n${(error as Error).message}\n`);
  }
}

function tool(name: string, ...args: string[]): () => Promise<void> {
  return async () => {
    const logFile = join(LOG_DIR, `${name}.log`);
    await runCommand({
      name,
      ...pnpmExec(...args),
      env: QUIET_TOOLS,
      logFile,
      timeoutMs: CHECK_TIMEOUT_MS,
    });
  };
}

/** Vitest counts for itself; its output is shown when something failed. */
async function runTests(): Promise<void> {
  const logFile = join(LOG_DIR, "vitest.log");
  await progress
    .step("tests", () =>
      runCommand({
        name: "vitest",
        command: process.execPath,
        args: [join(CHECKOUT, "node_modules/vitest/vitest.mjs"), "run"],
        env: { ...QUIET_TOOLS, NO_COLOR: "1" },
        logFile,
        timeoutMs: TESTS_TIMEOUT_MS,
      }),
    )
    .catch(() => say(`\n${readFileSync(logFile, "utf8")}\n`));
  const counted = parseTotals(readFileSync(logFile, "utf8"));
  totals.passed += counted?.passed ?? 0;
  totals.failed += counted?.failed ?? 1;
  totals.skipped += counted?.skipped ?? 0;
}

rmSync(LOG_DIR, { recursive: true, force: true });
await check("stores, gateway and browser found", () =>
  ensurePrograms([...STORE_PROGRAMS, BROWSER], {
    log: say,
    logFile: join(LOG_DIR, "apt-get.log"),
  }),
);
await check("build", tool("build", "turbo", "run", "build", "--output-logs=errors-only"));
await check("types", tool("types", "tsc", "-b"));
await check("lint and format", tool("lint", "biome", "check", "."));
await check("promises", tool("promises", "oxlint"));
await check("dependency rules", tool("boundaries", "turbo", "boundaries"));
await check("dead code", tool("dead-code", "knip"));
await runTests();
say(formatTotals(totals));
process.exit(totals.failed === 0 ? 0 : 1);

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePrograms, STORE_PROGRAMS } from "@localstreet/local/ensure-programs";
import { acquireLock } from "@localstreet/local/lock";
import { pnpmExec, QUIET_TOOLS } from "@localstreet/local/pnpm";
import { runCommand } from "@localstreet/local/run-command";
import type { Benchmark } from "./benchmark.ts";
import { BENCHMARKS } from "./benchmarks/catalog.ts";
import { judgeTargets } from "./judge-targets.ts";
import { type Lab, openLab } from "./lab.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { summarizeProfile } from "./profile-summary.ts";
import { formatProfiles, formatReport, formatResult, formatTargets, keepNotes } from "./report.ts";
import { type BenchmarkResult, runBenchmark } from "./run-benchmark.ts";
import { readVersions } from "./versions.ts";

const CHECKOUT = fileURLToPath(new URL("../../..", import.meta.url));
const OUTPUT_DIR = join(CHECKOUT, ".localstreet/bench");
const WARM_UP_MS = 500;
const BUILD_TIMEOUT_MS = 600_000;
/** Sockets of the largest benchmark, twice: those that are cut and those that come back. */
const FILES_NEEDED = 12_000;

const say = (line: string) => console.log(line);

function list(): void {
  for (const { name, title, contestants } of BENCHMARKS) {
    say(`${name.padEnd(18)} ${title}`);
    say(`${" ".repeat(18)} ${contestants.map((contestant) => contestant.name).join(", ")}`);
  }
}

async function prepare(): Promise<void> {
  const log = (name: string) => join(OUTPUT_DIR, `${name}.log`);
  await ensurePrograms(STORE_PROGRAMS, { log: say, logFile: log("apt-get") });
  const what = ["--filter=./services/*", "--filter=@localstreet/bench"];
  await runCommand({
    name: "build",
    ...pnpmExec("turbo", "run", "build", "--output-logs=errors-only", ...what),
    env: QUIET_TOOLS,
    logFile: log("build"),
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}

function openFilesLimit(): number {
  const report = process.report?.getReport() as unknown as {
    userLimits?: { open_files?: { hard: number | "unlimited" } };
  };
  const hard = report?.userLimits?.open_files?.hard ?? "unlimited";
  return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
}

function contestantsOf(names: readonly string[]): Set<string> {
  const chosen = BENCHMARKS.filter(({ name }) => names.includes(name));
  return new Set(chosen.flatMap(({ contestants }) => contestants.map(({ name }) => name)));
}

function narrow(benchmark: Benchmark, only: readonly string[]): Benchmark {
  if (only.length === 0) return benchmark;
  const contestants = benchmark.contestants.filter(({ name }) => only.includes(name));
  return { ...benchmark, contestants };
}

interface Results {
  readonly results: readonly BenchmarkResult[];
  readonly profiles: readonly ProfileSummary[];
}

async function runAll(options: BenchOptions, lab: Lab): Promise<Results> {
  const results: BenchmarkResult[] = [];
  const profiles: ProfileSummary[] = [];
  const { profileDir } = lab.settings;
  for (const name of options.names) {
    const benchmark = BENCHMARKS.find((candidate) => candidate.name === name) as Benchmark;
    say(`\n${name}: ${benchmark.title}`);
    const startedAtMs = performance.now();
    const result = await runBenchmark(lab, narrow(benchmark, options.only), say);
    results.push(result);
    say(formatResult(result).split("\n").slice(4).join("\n").trimEnd());
    if (profileDir !== undefined) {
      const summaries = summarizeProfiles(profileDir, name);
      profiles.push(...summaries);
      for (const { service, lines } of summaries) say([`\n  ${service}:`, ...lines].join("\n  "));
    }
    say(`  ${((performance.now() - startedAtMs) / 1_000).toFixed(0)} s`);
  }
  return { results, profiles };
}

function write({ results, profiles }: Results, options: BenchOptions): void {
  const { rounds, seconds } = options;
  const at = `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const conditions = { at, rounds, seconds, versions: readVersions() };
  const markdown = formatReport(results, conditions);
  const json = results.map((result) => ({
    name: result.benchmark.name,
    title: result.benchmark.title,
    contestants: result.contestants,
    targets: judgeTargets(result),
  }));
  writeFileSync(join(OUTPUT_DIR, "results.md"), markdown);
  writeFileSync(
    join(OUTPUT_DIR, "results.json"),
    `${JSON.stringify({ conditions, benchmarks: json }, null, 2)}\n`,
  );
  if (!options.writeDocs) return;
  // Figures of a profiled run are no results.
  if (options.profile) {
    const page = join(CHECKOUT, "docs/benchmark-profiles.md");
    const text = formatProfiles(profiles, conditions);
    writeFileSync(page, keepNotes(text, readFileSync(page, "utf8")));
  } else {
    writeFileSync(join(CHECKOUT, "docs/benchmarks.md"), markdown);
  }
}

interface ProfileSummary {
  readonly benchmark: string;
  readonly service: string;
  readonly lines: readonly string[];
}

/** The newest profile of each service that a benchmark has left, in short. */
function summarizeProfiles(profileDir: string, benchmark: string): ProfileSummary[] {
  const files = readdirSync(profileDir).filter((file) => file.endsWith(".cpuprofile"));
  const newest = new Map(
    files.sort().map((file) => [file.replace(/-1-\d+\.cpuprofile$/, ""), file]),
  );
  const summaries = [...newest].map(([service, file]) => ({
    benchmark,
    service,
    lines: summarizeProfile(join(profileDir, file)),
  }));
  const kept = join(profileDir, benchmark);
  mkdirSync(kept, { recursive: true });
  for (const file of files) renameSync(join(profileDir, file), join(kept, file));
  return summaries;
}

async function main(): Promise<void> {
  const parsed = parseOptions(
    process.argv.slice(2),
    BENCHMARKS.map(({ name }) => name),
  );
  if (parsed.kind === "help") return say(USAGE);
  if (parsed.kind === "list") return list();
  if (parsed.kind === "wrong") {
    console.error(`${parsed.message}\n\n${USAGE}`);
    process.exit(2);
  }
  const { options } = parsed;
  const unknown = options.only.find((name) => !contestantsOf(options.names).has(name));
  if (unknown !== undefined) {
    console.error(
      `--only ${unknown}: nobody is called that here; there are ${[...contestantsOf(options.names)].join(", ")}`,
    );
    process.exit(2);
  }
  if (process.platform !== "linux") {
    console.error("The benchmarks read the cost of processes from /proc: they run on Linux only.");
    process.exit(1);
  }
  if (openFilesLimit() < FILES_NEEDED) {
    say(
      `A process may open ${openFilesLimit()} files here; the largest benchmarks need ${FILES_NEEDED}: ulimit -n`,
    );
  }
  const lock = acquireLock(join(OUTPUT_DIR, "lock"));
  if (lock.kind === "held") {
    console.error(
      `Benchmarks of this checkout run already (process ${lock.pid}); two at once measure each other.`,
    );
    process.exit(1);
  }
  process.once("exit", lock.release);
  const profileDir = options.profile ? join(OUTPUT_DIR, "profiles") : undefined;
  if (profileDir !== undefined) {
    rmSync(profileDir, { recursive: true, force: true });
    mkdirSync(profileDir, { recursive: true });
  }

  await prepare();
  const dir = join(OUTPUT_DIR, "servers");
  rmSync(dir, { recursive: true, force: true });
  const settings = {
    rounds: options.rounds,
    windowMs: options.seconds * 1_000,
    warmUpMs: WARM_UP_MS,
    profileDir,
  };
  const lab = await openLab(settings, dir);
  // What was started ends with this process, whichever way it ends.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => process.exit(1));
  }
  try {
    const all = await runAll(options, lab);
    write(all, options);
    say(`\n${formatTargets(all.results.flatMap(judgeTargets))}`);
    say(`\nIn ${join(OUTPUT_DIR, "results.md")} and results.json`);
    if (profileDir !== undefined) say(`CPU profiles: ${profileDir}`);
  } finally {
    await lab.close();
  }
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePrograms, STORE_PROGRAMS } from "@localstreet/local/ensure-programs";
import { pnpmExec, QUIET_TOOLS } from "@localstreet/local/pnpm";
import { runCommand } from "@localstreet/local/run-command";
import { isAlive } from "@localstreet/stores/processes";
import { FAULTS, GROUPS } from "./catalogue.ts";
import type { Fault } from "./fault.ts";
import { type FaultResult, formatResult, formatTable } from "./fault-result.ts";
import { type ChaosOptions, parseOptions, USAGE } from "./options.ts";
import { runFault } from "./run-fault.ts";
import { readSurroundings } from "./surroundings.ts";

const CHECKOUT = fileURLToPath(new URL("../../..", import.meta.url));
const CHAOS_DIR = join(process.env.LOCALSTREET_DIR || join(CHECKOUT, ".localstreet"), "chaos");
const RUNS_DIR = join(CHAOS_DIR, "runs");
const RESULTS_FILE = join(CHAOS_DIR, "faults.json");
const DOCS_FILE = join(CHECKOUT, "docs/faults.md");
const BUILD_TIMEOUT_MS = 600_000;

const say = (line: string) => console.log(line);

function list(): void {
  for (const fault of FAULTS) {
    say(fault.name + (fault.natsNodes === undefined ? "" : `  (${fault.natsNodes} NATS nodes)`));
    say(`    does      ${fault.harm}`);
    say(`    promised  ${fault.promise}`);
  }
}

async function prepare(): Promise<void> {
  await ensurePrograms(STORE_PROGRAMS, { log: say, logFile: join(CHAOS_DIR, "apt-get.log") });
  await runCommand({
    name: "build",
    ...pnpmExec("turbo", "run", "build", "--output-logs=errors-only", "--filter=./services/*"),
    env: QUIET_TOOLS,
    logFile: join(CHAOS_DIR, "build.log"),
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}

async function run(options: ChaosOptions): Promise<number> {
  await prepare();
  removeLeftovers();
  const results: FaultResult[] = [];
  for (const fault of FAULTS.filter(({ name }) => options.faults.includes(name))) {
    say(`\n${fault.name}: ${fault.harm}`);
    const result = await runOne(fault, options);
    results.push(result);
    say(formatResult(result));
    writeTable(results, options);
  }
  const broken = results.filter(({ outcome }) => outcome === "broken" || outcome === "failed");
  say(`\n${results.map(formatResult).join("\n")}`);
  say(`\n${results.length} faults, ${broken.length} of them not survived: ${CHAOS_DIR}/faults.md`);
  return broken.length === 0 ? 0 : 1;
}

/** Its data goes; its logs stay when they are worth reading. */
async function runOne(fault: Fault, options: ChaosOptions): Promise<FaultResult> {
  const dataDir = join(RUNS_DIR, `${fault.name}-${process.pid}`);
  const remove = () => rmSync(dataDir, { recursive: true, force: true });
  process.once("exit", remove);
  const { natsNodes, size } = options;
  const { date, commit } = readSurroundings(CHECKOUT);
  const at = `${date}, ${commit}`;
  const result = await runFault(fault, { dataDir, natsNodes, size, at, say });
  const kept = join(CHAOS_DIR, "kept", fault.name);
  rmSync(kept, { recursive: true, force: true });
  if (options.keep || result.outcome === "broken" || result.outcome === "failed") {
    mkdirSync(join(CHAOS_DIR, "kept"), { recursive: true });
    if (options.keep) renameSync(dataDir, kept);
    else renameSync(join(dataDir, "logs"), kept);
    say(`    kept: ${kept}`);
  }
  remove();
  process.off("exit", remove);
  return result;
}

/** Data of runs whose process was killed. */
function removeLeftovers(): void {
  mkdirSync(RUNS_DIR, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(RUNS_DIR)) {
    const pid = Number(name.slice(name.lastIndexOf("-") + 1));
    if (!isAlive(pid)) rmSync(join(RUNS_DIR, name), { recursive: true, force: true });
  }
}

/** Of earlier runs: they stay in the table until they are repeated. */
function readEarlier(): FaultResult[] {
  try {
    const known = FAULTS.map(({ name }) => name);
    const { results } = JSON.parse(readFileSync(RESULTS_FILE, "utf8")) as {
      results: FaultResult[];
    };
    return results.filter(({ fault }) => known.includes(fault));
  } catch {
    return [];
  }
}

function writeTable(results: readonly FaultResult[], options: ChaosOptions): void {
  const surroundings = readSurroundings(CHECKOUT);
  const keyOf = ({ fault, natsNodes }: FaultResult) => `${fault} ${natsNodes}`;
  const byKey = new Map([...readEarlier(), ...results].map((one) => [keyOf(one), one]));
  const place = ({ fault }: FaultResult) => FAULTS.findIndex(({ name }) => name === fault);
  const all = [...byKey.values()].sort((one, other) => place(one) - place(other));
  const facts = [
    `${surroundings.date} UTC, commit ${surroundings.commit}, ${surroundings.machine}`,
    surroundings.versions,
    `Load of size ${options.size} (\`loadtests/faults/src/load.ts\`), two replicas of each service, one platform for each fault.`,
  ];
  writeFileSync(RESULTS_FILE, `${JSON.stringify({ surroundings, results: all }, null, 2)}\n`);
  const table = formatTable(all, facts);
  writeFileSync(join(CHAOS_DIR, "faults.md"), table);
  if (options.writeDocs) writeFileSync(DOCS_FILE, `${DOCS_HEAD}\n${table}`);
}

const DOCS_HEAD = `# Faults

What the platform keeps of its promises when it is harmed, measured by \`npm run chaos -- all --write-docs\`. Every fault
gets a platform of its own under load; clients of every kind write down what was offered, acknowledged and received, and
a judge compares (\`loadtests/oracle\`). \`kept\`: all that was promised was seen. **broken**: what was not stands first
in the last column. \`absent\`: the platform does not have yet what the fault would harm. \`npm run chaos -- orders\` does
those that harm the way of an order, \`--list\` names them all.
`;

async function main(): Promise<void> {
  // Whoever read along has left, as `| head` does.
  process.stdout.on("error", () => process.exit(1));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Servers and data go as this process exits.
    process.once(signal, () => process.exit(130));
  }
  const names = FAULTS.map(({ name }) => name);
  const groups = Object.fromEntries(
    Object.entries(GROUPS).map(([group, faults]) => [group, faults.map(({ name }) => name)]),
  );
  const parsed = parseOptions(process.argv.slice(2), names, groups);
  if (parsed.kind === "help") return say(USAGE);
  if (parsed.kind === "list") return list();
  if (parsed.kind === "wrong") {
    console.error(`${parsed.message} (npm run chaos -- --help)`);
    process.exit(2);
  }
  try {
    process.exit(await run(parsed.options));
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}

await main();

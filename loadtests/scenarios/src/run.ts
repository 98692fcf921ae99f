import { join } from "node:path";
import { holdConnections } from "@localstreet/generator/hold";
import { formatVerdict } from "@localstreet/oracle/judge";
import { isClean, type RunRecord, summarise } from "@localstreet/run-report/run-record";
import { saveRun } from "@localstreet/run-report/save-run";
import { listScenarios, parseArguments, type RunArguments, USAGE } from "./arguments.ts";
import { runScenario } from "./run-scenario.ts";
import { runSmoke } from "./run-smoke.ts";
import { DATA_DIR, findTarget, type Target } from "./target.ts";

const HOLD_SECONDS = 30;
const SHOWN_FAULTS = 10;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(1));
}

async function main(): Promise<number> {
  const parsed = parseArguments(process.argv.slice(2));
  if (parsed.kind === "wrong") {
    console.error(`${parsed.message}\n\n${USAGE}`);
    return 2;
  }
  if (parsed.kind !== "run") {
    console.log(parsed.kind === "list" ? listScenarios() : USAGE);
    return 0;
  }
  const { run } = parsed;
  try {
    const target = await findTarget(run.target, process.env);
    console.log(
      `${run.scenario.name} against ${target.url}: ${run.size} ${run.scenario.size.unit}`,
    );
    if (run.scenario.runner.kind === "smoke") return await runSmoke(target, run.size);
    return report(await startRun(run, target));
  } catch (error) {
    console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

async function startRun(run: RunArguments, target: Target): Promise<RunRecord> {
  const { runner } = run.scenario;
  if (runner.kind === "artillery") return await runScenario(run, runner, target);
  return await holdConnections({
    target: target.url,
    secret: target.secret,
    issuer: process.env.AUTH_ISSUER || undefined,
    connections: run.size,
    holdMs: (run.seconds ?? HOLD_SECONDS) * 1_000,
    perAddress: run.perAddress,
    workers: run.workers,
    log: console.log,
  });
}

function report(run: RunRecord): number {
  for (const verdict of run.verdicts) console.log(`  ${formatVerdict(verdict)}`);
  for (const fault of run.faults.slice(0, SHOWN_FAULTS)) console.error(`FAILED: ${fault}`);
  if (run.faults.length > SHOWN_FAULTS) {
    console.error(`… and ${run.faults.length - SHOWN_FAULTS} more`);
  }
  if (run.generatorShare !== undefined) {
    const percent = Math.round(run.generatorShare * 100);
    console.log(`  the load itself took ${percent} % of this machine's processors`);
  }
  const page = join(saveRun(run, join(DATA_DIR, "loadtests")), "run.html");
  console.log(`  the page of this run: ${page}`);
  const clean = isClean(run);
  console.log(clean ? `passed: ${summarise(run)}` : `FAILED: ${summarise(run)}`);
  return clean ? 0 : 1;
}

process.exitCode = await main();

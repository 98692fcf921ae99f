import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import type { RunRecord } from "@localstreet/run-report/run-record";
import type { RunArguments } from "./arguments.ts";
import { runArtillery } from "./artillery-run.ts";
import type { ArtilleryRunner } from "./catalogue.ts";
import { planVisits } from "./phases.ts";
import { encodeRunSettings } from "./run-settings.ts";
import type { StreetResult } from "./street.ts";
import type { Target } from "./target.ts";
import { makeTempDir } from "./temp-dir.ts";

/** For Artillery to start, for everything to settle and to be read back, and for a storm to pass. */
const GRACE_MS = 120_000;
/** PROTOCOL.md E8, less what requests need. */
const USUAL_PER_ADDRESS = 80;

/** Runs one of Artillery's scenarios and gathers what its visitors' ledgers say. */
export async function runScenario(
  { scenario, size, seconds }: RunArguments,
  runner: ArtilleryRunner,
  target: Target,
): Promise<RunRecord> {
  const { phases, busyMs } = planVisits(runner, size, seconds ?? runner.seconds);
  const arriveMs = phases.reduce((sum, { duration }) => sum + duration, 0) * 1_000;
  using dir = makeTempDir("localstreet-visitors-");
  const resultFile = join(dir.path, "result.json");
  const startedAtMs = Date.now();
  const { report, failedChecks, cpuMs } = await runArtillery({
    script: runner.script,
    url: target.url,
    timeoutMs: arriveMs + busyMs + GRACE_MS,
    overrides: { config: { phases } },
    env: encodeRunSettings({
      secret: target.secret,
      issuer: process.env.AUTH_ISSUER || undefined,
      visitors: size,
      busyMs,
      intervalMs: runner.intervalMs,
      commandPid: process.pid,
      resultFile,
    }),
  });
  const text = await readFile(resultFile, "utf8").catch(() => undefined);
  const result: StreetResult = text
    ? JSON.parse(text)
    : { verdicts: [], timeline: { paths: {}, connections: [], marks: [] } };
  const errors = Object.entries(report.aggregate.counters)
    .filter(([name]) => name.startsWith("errors."))
    .map(
      ([name, times]) => `${name.slice("errors.".length)}${times > 1 ? ` (${times} times)` : ""}`,
    );
  const checks = failedChecks.map((check) => `not met: ${check}`);
  const connections = size * runner.connections;
  if (report.aggregate.counters["vusers.failed"] && connections > USUAL_PER_ADDRESS) {
    checks.push(
      `All visitors come from one address, with ${connections} connections: the gateway must admit them (GATEWAY_CONNECTIONS_PER_ADDRESS)`,
    );
  }
  const endedAtMs = Date.now();
  return {
    scenario: scenario.name,
    description: `${scenario.description}.`,
    target: target.url,
    ...boundsOf(result, startedAtMs, endedAtMs),
    size: `${size} ${scenario.size.unit}`,
    verdicts: result.verdicts,
    faults: [...errors, ...checks],
    timeline: result.timeline,
    generatorShare: cpuMs / ((endedAtMs - startedAtMs) * cpus().length),
  };
}

/** The time in which something happened: Artillery takes a while to start and to end. */
function boundsOf(
  { timeline }: StreetResult,
  startedAtMs: number,
  endedAtMs: number,
): { startedAtMs: number; endedAtMs: number } {
  const seconds = [
    ...Object.values(timeline.paths).flatMap((path) => path.map(([second]) => second)),
    ...timeline.connections.map(([second]) => second),
  ];
  if (seconds.length === 0) return { startedAtMs, endedAtMs };
  return {
    startedAtMs: Math.min(...seconds) * 1_000,
    endedAtMs: (Math.max(...seconds) + 1) * 1_000,
  };
}

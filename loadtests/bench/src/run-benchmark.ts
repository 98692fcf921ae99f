import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Benchmark, Contestant, Started } from "./benchmark.ts";
import type { Figures } from "./generator/specs.ts";
import type { Lab } from "./lab.ts";
import { cpuMicros, machineCpuMicros, pssBytes } from "./process-cost.ts";

const PROFILE_TIMEOUT_MS = 5_000;
/** How long a collection may take, and the pages to go back. */
const COLLECTION_MS = 1_000;

export interface ContestantResult {
  readonly name: string;
  /** Figures of each round; `undefined` for a round that failed. */
  readonly rounds: (Figures | undefined)[];
  /** Why there are no figures, or why a round has none. */
  fault?: string;
}

export interface BenchmarkResult {
  readonly benchmark: Benchmark;
  readonly contestants: readonly ContestantResult[];
}

/** Runs a benchmark: everyone is started, then measured in turn, round after round (A B C A B C). */
export async function runBenchmark(
  lab: Lab,
  benchmark: Benchmark,
  say: (line: string) => void,
): Promise<BenchmarkResult> {
  const results = benchmark.contestants.map(({ name }): ContestantResult => ({ name, rounds: [] }));
  const running: { contestant: Contestant; started: Started; result: ContestantResult }[] = [];
  try {
    for (const [index, contestant] of benchmark.contestants.entries()) {
      const result = results[index] as ContestantResult;
      const missing = contestant.missing?.() ?? null;
      if (missing !== null) {
        result.fault = missing;
        say(`  ${contestant.name}: left out, ${missing}`);
        continue;
      }
      try {
        running.push({ contestant, result, started: await contestant.start(lab) });
      } catch (error) {
        result.fault = inOneLine(error as Error);
        say(`  ${contestant.name}: did not start: ${result.fault}`);
      }
    }
    for (let round = 0; round < lab.settings.rounds; round++) {
      for (const { contestant, started, result } of running) {
        try {
          result.rounds[round] = await runRound(lab, started);
        } catch (error) {
          result.rounds[round] = undefined;
          result.fault = inOneLine(error as Error);
          say(`  ${contestant.name}: round ${round + 1} failed: ${result.fault}`);
        }
      }
    }
  } finally {
    for (const { started } of running.reverse()) await started.stop();
  }
  return { benchmark, contestants: results };
}

function inOneLine(error: Error): string {
  return error.message.replaceAll(/\s+/g, " ").slice(0, 400);
}

/** One round of one contestant, with the share of the machine that processes of nobody's here took meanwhile. */
async function runRound(lab: Lab, started: Started): Promise<Figures> {
  await started.renew?.();
  const foreign = measureForeignShare();
  const figures = await (started.measure?.() ?? runLoad(lab, started));
  return { ...figures, foreignShare: foreign() };
}

function measureForeignShare(): () => number {
  const foreignMicros = () => machineCpuMicros() - cpuMicros([process.pid]);
  const startedAtMs = performance.now();
  const before = foreignMicros();
  return () => {
    const wallMicros = (performance.now() - startedAtMs) * 1_000;
    return Math.max(0, foreignMicros() - before) / (wallMicros * availableParallelism());
  };
}

/**
 * Makes servers in Node collect what they hold no more: how much of it is still there, up to the size of the young
 * generation, is chance, and as much as thousands of connections need.
 */
async function collectGarbage(pids: readonly number[]): Promise<void> {
  for (const pid of pids) process.kill(pid, "SIGURG");
  await new Promise((resolve) => setTimeout(resolve, COLLECTION_MS));
}

async function runLoad(lab: Lab, started: Started): Promise<Figures> {
  if (!started.load) throw new Error("nothing to do");
  const before = { cpu: 0, store: 0, pss: 0 };
  const after = { ...before };
  const storePids = started.storePids?.() ?? [];
  const read = (into: typeof before) => {
    into.cpu = cpuMicros(started.pids());
    into.store = cpuMicros(storePids);
    into.pss = pssBytes(started.pids());
  };
  const { profileDir } = lab.settings;
  const isProfiled = profileDir !== undefined && started.profilePid !== undefined;
  const profiles = () =>
    isProfiled ? readdirSync(profileDir).filter((file) => file.endsWith(".cpuprofile")).length : 0;
  const profile = () => {
    if (profileDir !== undefined && started.profilePid) {
      process.kill(started.profilePid(), "SIGUSR2");
    }
  };
  const spec = await started.load();
  const profilesBefore = profiles();
  const inspectedBefore = await started.inspect?.();
  const figures = await lab.generator.run(spec, {
    async onBegin() {
      profile();
      if (spec.kind === "idle") await collectGarbage(started.pids());
      read(before);
    },
    async onEnd() {
      if (spec.kind === "idle") await collectGarbage(started.pids());
      read(after);
      profile();
    },
  });
  // The service writes its profile when it is told that the load is over.
  const profiledBy = performance.now() + PROFILE_TIMEOUT_MS;
  while (isProfiled && profiles() === profilesBefore && performance.now() < profiledBy) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const inspectedAfter = await started.inspect?.();
  const inspected = Object.entries(inspectedAfter ?? {}).map(
    ([name, value]) => [name, value - (inspectedBefore?.[name] ?? 0)] as const,
  );
  const { delivered, connections } = figures;
  const all: Figures = {
    ...figures,
    ...Object.fromEntries(inspected),
    ...(delivered
      ? {
          cpuMicrosEach: (after.cpu - before.cpu) / delivered,
          storeMicrosEach: (after.store - before.store) / delivered,
        }
      : {}),
    ...(connections ? { bytesEach: (after.pss - before.pss) / connections } : {}),
    cpuMicros: after.cpu - before.cpu,
  };
  return { ...all, ...started.derive?.(all) };
}

import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunRecord } from "@localstreet/run-report/run-record";
import { createTimeline, latencyOf } from "@localstreet/run-report/timeline";
import { planSources, readMachineLimits } from "./limits.ts";
import { mergeVerdicts } from "./merge-verdicts.ts";
import type { WorkerPlan } from "./messages.ts";
import { CONNECTIONS_PER_SHOP } from "./shop-kit.ts";
import { startWorker, type WorkerProcess } from "./worker-process.ts";

export interface HoldOptions {
  readonly target: string;
  readonly secret: string;
  readonly issuer?: string | undefined;
  /** Connections, of all services together. Rounded up to whole shops of 20. */
  readonly connections: number;
  /** How long they are held, with things happening on all of them, once they stand. */
  readonly holdMs: number;
  /** One order, one message and one fix per shop in so many milliseconds. 10 s when absent, or half of a shorter hold. */
  readonly intervalMs?: number;
  readonly opensPerSecond?: number;
  /** For all connections to stand. */
  readonly openMs?: number;
  readonly settleMs?: number;
  readonly perAddress?: number | undefined;
  readonly workers?: number | undefined;
  readonly log?: (line: string) => void;
}

/** For what is stored to be read back. */
const READ_BACK_MS = 300_000;
const PATHS = ["orders", "dashboard", "chat", "tracking"] as const;

/**
 * Opens connections to all services, holds them while orders, messages and fixes go through them, and judges what came
 * of those.
 *
 * @throws {Error} that says what is missing: file descriptors, ports, or who refused the connections.
 */
export async function holdConnections(options: HoldOptions): Promise<RunRecord> {
  const { log = () => {}, settleMs = 20_000 } = options;
  const intervalMs = options.intervalMs ?? Math.min(10_000, options.holdMs / 2);
  const shops = Math.ceil(options.connections / CONNECTIONS_PER_SHOP);
  const connections = shops * CONNECTIONS_PER_SHOP;
  const target = new URL(options.target);
  const sources = planSources({
    shops,
    target,
    limits: readMachineLimits(),
    perAddress: options.perAddress,
    workers: options.workers,
  });
  const count = sources.length;
  const opensPerSecond = (options.opensPerSecond ?? 500) / count;
  const openMs = options.openMs ?? 30_000 + (connections / (opensPerSecond * count)) * 2_000;
  const startedAtMs = Date.now();
  const cpuAtStart = process.cpuUsage();
  const timeline = createTimeline();
  const workers: WorkerProcess[] = [];
  try {
    for (const [index, source] of sources.entries()) {
      const plan: WorkerPlan = {
        target: options.target,
        secret: options.secret,
        issuer: options.issuer,
        name: `gen-${startedAtMs.toString(36)}-${index}`,
        sources: source,
        opensPerSecond,
        intervalMs,
        settleMs,
      };
      workers.push(await startWorker(plan));
    }
    const sum = (what: "open" | "cut") =>
      workers.reduce((all, worker) => all + worker.counts[what], 0);
    const opening = Promise.all(workers.map(({ opened }) => opened)).then(() => true);
    const reporting = setInterval(
      () => log(`  ${sum("open")} of ${connections} connections open`),
      2_000,
    );
    const stand = await Promise.race([opening, sleep(openMs, false, { ref: false })]);
    clearInterval(reporting);
    if (!stand) throw new Error(whyNotOpen(sum("open"), connections, workers));
    const openedInMs = Date.now() - startedAtMs;
    log(`  all ${connections} connections open after ${(openedInMs / 1_000).toFixed(1)} s`);
    timeline.mark(Date.now(), `all ${inFull(connections)} connections open`);
    for (const worker of workers) worker.work();
    await Promise.race([sleep(options.holdMs), ...workers.map(({ failed }) => failed)]);
    timeline.mark(Date.now(), "no more load");
    const stillOpen = sum("open");
    const finished = await Promise.all(
      workers.map((worker) => worker.finish(settleMs + READ_BACK_MS)),
    );
    const endedAtMs = Date.now();
    for (const { timeline: recorded } of finished) timeline.merge(recorded);
    const record = timeline.record();
    const { user, system } = process.cpuUsage(cpuAtStart);
    const cpuMs = finished.reduce((all, worker) => all + worker.cpuMs, (user + system) / 1_000);
    const faults = finished.flatMap((worker) => worker.faults);
    if (stillOpen < connections) {
      faults.push(
        `${connections - stillOpen} of ${connections} connections were not there at the end`,
      );
    }
    const cut = sum("cut");
    if (cut > 0) log(`  ${cut} connections broke in between and came back or did not`);
    return {
      scenario: "hold",
      description: `${inFull(connections)} connections at once, over all services.`,
      target: options.target,
      startedAtMs,
      endedAtMs,
      size: `${inFull(connections)} connections in ${count} ${count === 1 ? "process" : "processes"}`,
      verdicts: PATHS.map((path) =>
        mergeVerdicts(
          finished.flatMap(({ verdicts }) => verdicts.filter((verdict) => verdict.path === path)),
          latencyOf(record, path),
        ),
      ),
      faults,
      timeline: record,
      generatorShare: cpuMs / ((endedAtMs - startedAtMs) * cpus().length),
    };
  } finally {
    for (const worker of workers) worker.kill();
  }
}

function whyNotOpen(open: number, connections: number, workers: readonly WorkerProcess[]): string {
  const reasons = new Map<string, number>();
  for (const { counts } of workers) {
    for (const [reason, times] of Object.entries(counts.failures)) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + times);
    }
  }
  const [commonest] = [...reasons].sort(([, a], [, b]) => b - a);
  const why = commonest ? `: ${commonest[0]} (${commonest[1]} times)` : "";
  return `Only ${open} of ${connections} connections opened in time${why}. GATEWAY_CONNECTIONS_PER_ADDRESS of the platform limits them per address.`;
}

function inFull(count: number): string {
  return count.toLocaleString("en");
}

import { fork } from "node:child_process";
import type { ViolationKind } from "./device.ts";
import type { Mutant } from "./mutants.ts";

export interface SearchResult {
  readonly from: number;
  readonly schedules: number;
  readonly operations: number;
  readonly perSecond: number;
  readonly found: {
    readonly seed: number;
    readonly kind: ViolationKind;
    readonly what: string;
  } | null;
  /** A hash of all that happened, where it was asked for. */
  readonly trace?: string;
}

/** A schedule ran into a loop without an end, or left a promise alone: a violation that ends the search itself. */
export class StuckError extends Error {
  override readonly name = "StuckError";
}

/** A schedule takes milliseconds. One that takes so long has run into a loop, which cannot be interrupted from within. */
const STUCK_MS = 30_000;
/** How the search ends when a promise was left alone. */
const LEFT_ALONE = 2;
/** Of what a search prints. */
const OUTPUT_CHARACTERS = 1_000_000;

/**
 * Searches in a process of its own, for time is virtual in it, and under a watchdog.
 *
 * @throws {StuckError}
 */
export async function runSearch(options: {
  readonly from: number;
  readonly count: number;
  readonly seconds: number;
  readonly trace?: boolean;
  readonly mutant?: Mutant;
}): Promise<SearchResult> {
  const { from, count, seconds, trace = false, mutant } = options;
  const args = ["--from", `${from}`, "--count", `${count}`, "--seconds", `${seconds}`];
  if (trace) args.push("--trace");
  const mutate = new URL("./mutate.mjs", import.meta.url).href;
  const child = fork(new URL("./search.ts", import.meta.url), args, {
    execArgv: ["--conditions=source", ...(mutant ? ["--import", mutate] : []), "--import", "tsx"],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...environment(), ...(mutant ? { LOCALSTREET_MUTANT: JSON.stringify(mutant) } : {}) },
  });
  let seed = from;
  let isStuck = false;
  let watchdog: NodeJS.Timeout | undefined;
  const watch = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      isStuck = true;
      child.kill("SIGKILL");
    }, STUCK_MS);
  };
  watch();
  child.on("message", (message) => {
    seed = (message as { seed: number }).seed;
    watch();
  });
  let output = "";
  const take = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS);
  };
  child.stdout?.on("data", take);
  child.stderr?.on("data", take);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(watchdog);
  if (isStuck) throw new StuckError(`seed ${seed} does not come to an end`);
  if (code === LEFT_ALONE) throw new StuckError(output);
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new Error(`seed ${seed}: ended with ${code}: ${output}`);
  return JSON.parse(line) as SearchResult;
}

/** What a child needs of this process's surroundings: the settings of a test runner are not for it. */
function environment(): Record<string, string> {
  const { NODE_OPTIONS: _, ...rest } = process.env;
  return rest as Record<string, string>;
}

import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { MUTANTS, type Mutant } from "./mutants.ts";
import { runSearch, StuckError } from "./run-search.ts";

const USAGE = `npm run schedules                      searches a million schedules, from a seed of today
npm run schedules -- --count N         so many
npm run schedules -- --seconds N       for so long at most, on each core that is given to it
npm run schedules -- --from SEED       from this seed on
npm run schedules -- --processes N     side by side; 1 without it
npm run schedules -- --seed SEED       one schedule, step by step, and the shortest that fails in the same way
npm run schedules -- mutants [NAME]    breaks the code in ${MUTANTS.length} ways, one at a time, and searches for each`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: "boolean", default: false },
    count: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "36000" },
    from: { type: "string" },
    processes: { type: "string", default: "1" },
    seed: { type: "string" },
  },
});
const print = (line: string) => process.stdout.write(`${line}\n`);

/** Seeds of one day do not meet those of another within a million. */
function seedOfToday(): number {
  return (Math.floor(Date.now() / 86_400_000) % 1_000) * 2_000_000;
}

async function searchAll(): Promise<boolean> {
  const processes = Number(values.processes);
  const from = values.from === undefined ? seedOfToday() : Number(values.from);
  const count = Math.ceil(Number(values.count) / processes);
  const seconds = Number(values.seconds);
  const results = await Promise.all(
    Array.from({ length: processes }, (_, n) =>
      runSearch({ from: from + n * count, count, seconds }),
    ),
  );
  const schedules = results.reduce((sum, result) => sum + result.schedules, 0);
  const perSecond = results.reduce((sum, result) => sum + result.perSecond, 0);
  const operations = results.reduce((sum, result) => sum + result.operations, 0);
  print(
    `${schedules} schedules from seed ${from}, ${operations} operations, ${perSecond} schedules a second`,
  );
  for (const { found } of results) {
    if (!found) continue;
    print(`seed ${found.seed}: ${found.kind}: ${found.what}`);
    print(`again: npm run schedules -- --seed ${found.seed}`);
  }
  return results.every(({ found }) => !found);
}

/** How long a mutant may live. */
const MUTANT_SECONDS = 10;

async function huntMutant(mutant: Mutant): Promise<boolean> {
  const startedMs = performance.now();
  let told: string;
  let isFound = true;
  try {
    const { found, schedules } = await runSearch({
      ...{ from: 1, count: 1e9, seconds: MUTANT_SECONDS, mutant },
    });
    isFound = found !== null;
    told = found ? `${found.kind}, after ${schedules} schedules` : `not in ${schedules} schedules`;
  } catch (error) {
    if (!(error instanceof StuckError)) throw error;
    told = error.message;
  }
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  const mark = isFound ? "found" : mutant.argued ? "argued" : "LIVES";
  print(`${mark.padEnd(6)} ${mutant.name.padEnd(44)} ${seconds} s  ${told}`);
  if (!isFound && mutant.argued) print(`       ${mutant.argued}`);
  return isFound || mutant.argued !== undefined;
}

async function huntMutants(name: string | undefined): Promise<boolean> {
  const wanted = MUTANTS.filter((mutant) => name === undefined || mutant.name.includes(name));
  if (wanted.length === 0) {
    print(`no mutant is called so; they are:\n${MUTANTS.map((mutant) => mutant.name).join("\n")}`);
    return false;
  }
  let isWell = true;
  for (const mutant of wanted) isWell = (await huntMutant(mutant)) && isWell;
  return isWell;
}

/** Its output goes to the terminal. */
async function showSeed(seed: string): Promise<boolean> {
  const child = fork(new URL("./search.ts", import.meta.url), ["--seed", seed]);
  return await new Promise((resolve) => child.once("exit", (code) => resolve(code === 0)));
}

const [command, name] = positionals;
let isWell = false;
if (values.help) {
  print(USAGE);
  isWell = true;
} else if (command === "mutants") isWell = await huntMutants(name);
else if (command !== undefined) print(`${command} is not known\n\n${USAGE}`);
else if (values.seed !== undefined) isWell = await showSeed(values.seed);
else isWell = await searchAll();
process.exitCode = isWell ? 0 : 1;

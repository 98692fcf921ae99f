import { readArguments, USAGE, UsageError } from "./arguments.ts";
import { checkPlatform } from "./check.ts";
import { formatHearings, hearLies } from "./lies/run-lies.ts";
import { reportVerdicts } from "./report.ts";
import { openTarget } from "./target.ts";

/** Less than the two fixes a second that a courier may send (PROTOCOL.md T10). */
const ROUND_MS = 600;
const ORDERS_IN_A_ROUND = 3;
const SETTLE_MS = 15_000;

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** @returns whether all is well. */
async function run(args: readonly string[]): Promise<boolean> {
  const command = readArguments(args, process.env);
  if (command.command === "help") {
    console.log(USAGE);
    return true;
  }
  if (command.command === "lies") {
    const heard = await hearLies();
    console.log(formatHearings(heard));
    return heard.every(({ found }) => found > 0);
  }
  const { url, secret, issuer, vendors, seconds, json } = command;
  await requireAnswer(url);
  const verdicts = await checkPlatform({
    target: openTarget({ url, secret, ...(issuer === undefined ? {} : { issuer }) }),
    vendors,
    rounds: Math.ceil((seconds * 1_000) / ROUND_MS),
    orders: ORDERS_IN_A_ROUND,
    everyMs: ROUND_MS,
    settleMs: SETTLE_MS,
  });
  return await reportVerdicts(verdicts, { file: json });
}

/** Any answer will do: somebody is there. */
async function requireAnswer(url: string): Promise<void> {
  await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch((error: unknown) => {
    throw new Error(`Nothing answers at ${url}: is the platform running?`, { cause: error });
  });
}

try {
  process.exitCode = (await run(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof UsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

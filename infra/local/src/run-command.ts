import { raise } from "@localstreet/contracts/raise";
import { lastLines, startProcess } from "@localstreet/stores/processes";
import { CHECKOUT } from "./checkout.ts";

/**
 * Runs a command of the checkout to its end. What it prints goes to `logFile`.
 *
 * @throws with the last lines of the log when it fails or takes longer than `timeoutMs`.
 */
export async function runCommand(options: {
  name: string;
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  logFile: string;
  timeoutMs: number;
}): Promise<void> {
  const running = await startProcess({
    ...options,
    cwd: CHECKOUT,
    env: { ...process.env, ...options.env },
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    running.stop("SIGTERM", 5_000).catch(raise);
  }, options.timeoutMs);
  const { code } = await running.exited;
  clearTimeout(timer);
  if (code === 0 && !late) return;
  const why = late ? `took longer than ${options.timeoutMs / 1_000} s` : "failed";
  throw new Error(
    `${options.name} ${why}; ${options.logFile} ends with:\n${lastLines(options.logFile, 40)}`,
  );
}

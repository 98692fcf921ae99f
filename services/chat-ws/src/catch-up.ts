import { raise } from "@localstreet/contracts/raise";
import type { Logger } from "@localstreet/service-kit/logger";

/** Runs `catchUp` once before it resolves, then every `everyMs` milliseconds, one at a time, and at once when asked. */
export async function startCatchUp(options: {
  everyMs: number;
  catchUp: () => Promise<void>;
  logger: Logger;
}): Promise<{ now(): void; stop(): void }> {
  const { everyMs, catchUp, logger } = options;
  let timer: NodeJS.Timeout | undefined;
  let isRunning = false;
  let isAskedAgain = false;
  let isStopped = false;
  let hasFailed = false;

  async function run(): Promise<void> {
    clearTimeout(timer);
    if (isStopped) return;
    if (isRunning) {
      isAskedAgain = true;
      return;
    }
    isRunning = true;
    try {
      await catchUp();
      if (hasFailed) logger.info("catching up again");
      hasFailed = false;
    } catch (error) {
      // One line for each spell of failures.
      if (!hasFailed) logger.warn({ err: error }, "could not catch up");
      hasFailed = true;
    }
    isRunning = false;
    if (isStopped) return;
    timer = setTimeout(runAlone, isAskedAgain ? 0 : everyMs);
    isAskedAgain = false;
  }

  function runAlone(): void {
    run().catch(raise);
  }

  await run();
  return {
    now: runAlone,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

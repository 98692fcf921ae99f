import { setTimeout as sleep } from "node:timers/promises";
import type { BusLogger } from "@localstreet/bus/connection";

/**
 * Runs `run` again and again, one at a time and `everyMs` milliseconds apart. A spell of failures is logged once, and its
 * end, which is when `run` returns or says `working`.
 */
export function startRepeatedTask(options: {
  what: string;
  everyMs: number;
  logger: BusLogger;
  run: (task: { signal: AbortSignal; working: () => void }) => Promise<void>;
}): { stop(): Promise<void> } {
  const { what, everyMs, logger, run } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let failures = 0;

  function working(): void {
    if (failures > 0) logger.info({ failures }, `${what}: works again`);
    failures = 0;
  }

  async function repeat(): Promise<void> {
    while (!signal.aborted) {
      try {
        await run({ signal, working });
        working();
      } catch (error) {
        if (++failures === 1) {
          const level = (error as { retryable?: boolean }).retryable ? "warn" : "error";
          logger[level]({ err: error }, `${what}: failed, trying on`);
        }
      }
      await sleep(everyMs, null, { signal }).catch(() => {});
    }
  }
  const repeating = repeat();

  return {
    async stop() {
      stopping.abort();
      await repeating;
    },
  };
}

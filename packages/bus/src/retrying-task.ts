import { createBackoff } from "./backoff.ts";
import type { Bus, BusLogger } from "./connection.ts";

/**
 * Runs `run` whenever it is requested, one at a time, and again until it succeeds. Rests while the bus is disconnected:
 * whoever requests it after reconnects keeps it going. A spell of failures is logged once.
 */
export function createRetryingTask(options: {
  bus: Bus;
  logger: BusLogger;
  what: string;
  run: () => Promise<void>;
}): { request(): void; stop(): void } {
  const { bus, logger, what, run } = options;
  let running = false;
  let wanted = false;
  let stopped = false;

  async function loop(): Promise<void> {
    running = true;
    const backoff = createBackoff(50, 500);
    let failures = 0;
    while (wanted && !stopped && bus.isConnected()) {
      wanted = false;
      try {
        await run();
        if (failures > 0) logger.info({ failures }, `${what}: succeeded again`);
        failures = 0;
      } catch (error) {
        wanted = true;
        if (++failures === 1) logger.warn({ err: error }, `${what}: failed, trying on`);
        await backoff.wait();
      }
    }
    running = false;
  }

  return {
    request() {
      wanted = true;
      if (running || stopped) return;
      loop().catch((error: unknown) => logger.error({ err: error }, `${what}: broke`));
    },
    stop() {
      stopped = true;
    },
  };
}

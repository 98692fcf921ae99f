import { setTimeout as sleep } from "node:timers/promises";

/** Waits that double from `firstMs` to `maxMs`, each shortened by up to a half at random. */
export function createBackoff(firstMs: number, maxMs: number): { wait(): Promise<void> } {
  let nextMs = firstMs;
  return {
    async wait() {
      const ms = nextMs * (0.5 + Math.random() / 2);
      nextMs = Math.min(nextMs * 2, maxMs);
      await sleep(ms);
    },
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Ledger } from "./ledger.ts";

/**
 * Waits until everything that is owed has come, or for `timeoutMs`. Then stays for `quietMs` (300 when absent), in which
 * what comes once too often can still come.
 *
 * @returns how long it took until nothing was owed, in milliseconds; `null` when something is owed still.
 */
export async function settle(
  ledgers: readonly Ledger[],
  { timeoutMs, quietMs = 300 }: { timeoutMs: number; quietMs?: number },
): Promise<number | null> {
  const startedAtMs = performance.now();
  const elapsedMs = () => performance.now() - startedAtMs;
  while (ledgers.some((ledger) => ledger.outstanding() > 0)) {
    if (elapsedMs() >= timeoutMs) return null;
    await sleep(20);
  }
  const settledMs = elapsedMs();
  await sleep(quietMs);
  return settledMs;
}

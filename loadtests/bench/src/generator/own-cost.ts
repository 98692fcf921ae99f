import { availableParallelism } from "node:os";

/** Begins to measure; the result is this process's share of the whole machine, 0 to 1. */
export function measureOwnShare(): () => number {
  const startedAtMs = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    const wallMicros = (performance.now() - startedAtMs) * 1_000;
    return (user + system) / (wallMicros * availableParallelism());
  };
}

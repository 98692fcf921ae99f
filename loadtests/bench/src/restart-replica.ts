import type { Platform } from "@localstreet/local/platform";

/** Kills a replica and starts it again. @returns how long the start took until `/readyz`, in milliseconds. */
export async function restartReplica(platform: Platform, name: string): Promise<number> {
  const replica = platform.replica(name);
  platform.hold(name);
  await replica.kill();
  const startedAtMs = performance.now();
  await replica.start();
  const startMs = performance.now() - startedAtMs;
  platform.release(name);
  return startMs;
}

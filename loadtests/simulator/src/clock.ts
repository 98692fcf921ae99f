import { setTimeout as sleepFor } from "node:timers/promises";

/** Time in the town: `speed` times as fast as ours. It stops when the simulation does. */
export interface Clock {
  readonly speed: number;
  readonly stopped: AbortSignal;
  /** Waits `seconds` of the town's time. Returns early when the simulation stops. */
  pass(seconds: number): Promise<void>;
  /** Waits our time, whatever the speed: for what the platform asks to wait. */
  waitMs(ms: number): Promise<void>;
}

export function createClock(speed: number, stopped: AbortSignal): Clock {
  const waitMs = async (ms: number) => {
    await sleepFor(ms, undefined, { signal: stopped }).catch(() => {});
  };
  return { speed, stopped, waitMs, pass: (seconds) => waitMs((seconds * 1_000) / speed) };
}

/** Work that begins at a steady pace whether or not earlier work has ended, as the world's does. */
export interface Pace {
  pause(): void;
  resume(): void;
  /** Begins nothing more, and waits for what is under way. */
  stop(): Promise<void>;
}

/** More than so many at a time are left out: whoever waits for an answer is a customer lost. */
const MAX_UNDER_WAY = 5_000;
/** A busy process makes up for as much of what it has slept over, in milliseconds. */
const MAKE_UP_MS = 1_000;

/** Begins `work` every `everyMs`, which may be less than timers can. @param work is told its number, from 0; it must not reject. */
export function startPace(everyMs: number, work: (n: number) => Promise<unknown>): Pace {
  const underWay = new Set<Promise<unknown>>();
  let n = 0;
  let isPaused = false;
  let lastMs = performance.now();
  let dueMs = 0;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    dueMs = Math.min(dueMs + nowMs - lastMs, everyMs + MAKE_UP_MS);
    lastMs = nowMs;
    for (; dueMs >= everyMs; dueMs -= everyMs) {
      if (isPaused || underWay.size >= MAX_UNDER_WAY) continue;
      const task = work(n++).finally(() => underWay.delete(task));
      underWay.add(task);
    }
  }, everyMs);
  return {
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

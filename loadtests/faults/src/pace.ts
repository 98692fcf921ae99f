/** Work that begins at a steady pace whether or not earlier work has ended, as the world's does. */
export interface Pace {
  pause(): void;
  resume(): void;
  /** Begins nothing more, and waits for what is under way. */
  stop(): Promise<void>;
}

/** More than so many at a time are left out: whoever waits for an answer is a customer lost. */
const MAX_UNDER_WAY = 2_000;

/** Begins `work` every `everyMs`. @param work is told its number, from 0; it must not reject. */
export function startPace(everyMs: number, work: (n: number) => Promise<unknown>): Pace {
  const underWay = new Set<Promise<unknown>>();
  let n = 0;
  let isPaused = false;
  const timer = setInterval(() => {
    if (isPaused || underWay.size >= MAX_UNDER_WAY) return;
    const task = work(n++).finally(() => underWay.delete(task));
    underWay.add(task);
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

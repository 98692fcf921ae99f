/** Runs up to `atOnce` jobs at the same time; the others wait for their turn, first come first served. */
export function createTurns(atOnce: number): <T>(job: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (job) => {
    if (running < atOnce) running++;
    // Whoever finishes hands its place over, so the count stays.
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await job();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

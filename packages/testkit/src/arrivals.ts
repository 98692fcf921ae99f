/** What arrived on a connection, in order, with a way to wait for the next of a kind. */
export interface Arrivals<T> {
  /** Everything that arrived, whether awaited or not. */
  readonly all: readonly T[];
  push(item: T): void;
  /** No more will come: those who wait are told why. */
  end(reason: string): void;
  /**
   * The first item that matches and that no earlier call has returned or passed over.
   *
   * @throws when none comes within `timeoutMs` or before the end.
   */
  next(matches?: (item: T) => boolean, timeoutMs?: number): Promise<T>;
}

export function createArrivals<T>(what: string): Arrivals<T> {
  const all: T[] = [];
  let position = 0;
  let ended: string | undefined;
  const waiting = new Set<() => void>();

  const notify = () => {
    for (const wake of waiting) wake();
    waiting.clear();
  };
  return {
    all,
    push(item) {
      all.push(item);
      notify();
    },
    end(reason) {
      ended ??= reason;
      notify();
    },
    async next(matches = () => true, timeoutMs = 5_000) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        while (position < all.length) {
          const item = all[position++] as T;
          if (matches(item)) return item;
        }
        const seen = () => `so far: ${JSON.stringify(all.slice(-10))}`;
        if (ended !== undefined) throw new Error(`${what}: ${ended}; ${seen()}`);
        const leftMs = deadline - performance.now();
        if (leftMs <= 0) throw new Error(`${what}: nothing matched in ${timeoutMs} ms; ${seen()}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs);
          waiting.add(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
    },
  };
}

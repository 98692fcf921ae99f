/** Things that are expected and arrive, in whichever order the two happen. */
export interface Arrivals<T> {
  /** What has arrived so far, in order. */
  readonly all: readonly T[];
  add(thing: T): void;
  /**
   * The first thing that `matches`, now or within `timeoutMs`.
   *
   * @throws that `what` did not arrive.
   */
  expect(what: string, matches: (thing: T) => boolean, timeoutMs?: number): Promise<T>;
}

const TIMEOUT_MS = 5_000;

export function createArrivals<T>(): Arrivals<T> {
  const all: T[] = [];
  const listeners = new Set<(thing: T) => void>();
  return {
    all,
    add(thing) {
      all.push(thing);
      for (const listener of listeners) listener(thing);
    },
    expect(what, matches, timeoutMs = TIMEOUT_MS) {
      const arrived = all.find(matches);
      if (arrived !== undefined) return Promise.resolve(arrived);
      return new Promise((resolve, reject) => {
        const listener = (thing: T) => {
          if (!matches(thing)) return;
          clearTimeout(timer);
          listeners.delete(listener);
          resolve(thing);
        };
        const timer = setTimeout(() => {
          listeners.delete(listener);
          reject(new Error(`${what} did not arrive within ${timeoutMs / 1_000} s`));
        }, timeoutMs);
        listeners.add(listener);
      });
    },
  };
}

/**
 * The time by the clock of a store, between two answers of it: never ahead of that clock, and no replica's own. It goes on by
 * the time that passes here.
 */
export interface StoreClock {
  /** The store has said this time, no later than now. */
  set(at: Date): void;
  now(): Date;
}

export function createStoreClock(at: Date): StoreClock {
  let known = { atMs: at.getTime(), heardMs: performance.now() };
  return {
    set(said) {
      known = { atMs: said.getTime(), heardMs: performance.now() };
    },
    now: () => new Date(known.atMs + Math.floor(performance.now() - known.heardMs)),
  };
}

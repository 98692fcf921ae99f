/** One timer for the beats of all connections. */
export interface Heartbeat {
  /** Calls `beat` every `everyMs` from now on. @returns the end of it. */
  add(beat: () => void): () => void;
  stop(): void;
}

/** Beats are spread over the interval, so that ten thousand connections are not written to in one turn. */
const SLOTS = 50;
const SHORTEST_TICK_MS = 10;

export function startHeartbeat({ everyMs }: { everyMs: number }): Heartbeat {
  const count = Math.max(1, Math.min(SLOTS, Math.floor(everyMs / SHORTEST_TICK_MS)));
  const slots = Array.from({ length: count }, () => new Set<() => void>());
  let current = 0;
  const timer = setInterval(() => {
    current = (current + 1) % count;
    for (const beat of slots[current] ?? []) beat();
  }, everyMs / count);
  return {
    add(beat) {
      // The slot that was just served: the first beat comes after a whole interval.
      const slot = slots[current];
      slot?.add(beat);
      return () => slot?.delete(beat);
    },
    stop() {
      clearInterval(timer);
      for (const slot of slots) slot.clear();
    },
  };
}

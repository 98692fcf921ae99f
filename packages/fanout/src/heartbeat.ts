/** One timer for the beats of all connections. */
export interface Heartbeat<Member> {
  /** Beats for this member every `everyMs` from now on. */
  add(member: Member): void;
  delete(member: Member): void;
  stop(): void;
}

/** Beats are spread over the interval, so that ten thousand connections are not written to in one turn. */
const SLOTS = 50;
const SHORTEST_TICK_MS = 10;

/** Members are kept in a table: a closure or a timer for each would cost more than its connection's own state. */
export function startHeartbeat<Member>(options: {
  everyMs: number;
  beat: (member: Member) => void;
}): Heartbeat<Member> {
  const { everyMs, beat } = options;
  const count = Math.max(1, Math.min(SLOTS, Math.floor(everyMs / SHORTEST_TICK_MS)));
  const slots = Array.from({ length: count }, () => new Set<Member>());
  let current = 0;
  const timer = setInterval(() => {
    current = (current + 1) % count;
    for (const member of slots[current] ?? []) beat(member);
  }, everyMs / count);
  return {
    add(member) {
      // The slot that was just served: the first beat comes after a whole interval.
      slots[current]?.add(member);
    },
    delete(member) {
      for (const slot of slots) if (slot.delete(member)) return;
    },
    stop() {
      clearInterval(timer);
      for (const slot of slots) slot.clear();
    },
  };
}

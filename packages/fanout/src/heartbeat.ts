/** One timer for the beats of all connections. */
export interface Heartbeat<Member> {
  /** Beats for this member every `everyMs` from now on. */
  add(member: Member): void;
  delete(member: Member): void;
  stop(): void;
}

/** How finely beats are spread over the interval, so that ten thousand connections are not written to in one turn. */
const TICKS = 50;
const SHORTEST_TICK_MS = 10;

/**
 * Members are kept in a table: a closure or a timer for each would cost more than its connection's own state. As all have
 * the same interval, the order in which they were added, or beat last, is the order in which they are due.
 */
export function startHeartbeat<Member>(options: {
  everyMs: number;
  beat: (member: Member) => void;
}): Heartbeat<Member> {
  const { everyMs, beat } = options;
  const ticks = Math.max(1, Math.min(TICKS, Math.floor(everyMs / SHORTEST_TICK_MS)));
  const dueAtTick = new Map<Member, number>();
  let tick = 0;
  const timer = setInterval(() => {
    tick += 1;
    for (const [member, dueAt] of dueAtTick) {
      if (dueAt > tick) break;
      dueAtTick.delete(member);
      dueAtTick.set(member, tick + ticks);
      beat(member);
    }
  }, everyMs / ticks);
  return {
    add(member) {
      dueAtTick.delete(member);
      dueAtTick.set(member, tick + ticks);
    },
    delete(member) {
      dueAtTick.delete(member);
    },
    stop() {
      clearInterval(timer);
      dueAtTick.clear();
    },
  };
}

/** One timer that visits every member in turn. */
export interface Heartbeat<Member> {
  add(member: Member): void;
  remove(member: Member): void;
  stop(): void;
}

/** Parts of a period. The members of one are visited together. */
const SLOTS = 10;

/**
 * Calls `beat` for each member once every `everyMs` milliseconds. Members are spread over the period, so that ten thousand
 * connections are not written to at the same instant; the first beat of a member comes within one period.
 */
export function startHeartbeat<Member>(options: {
  everyMs: number;
  beat: (member: Member) => void;
}): Heartbeat<Member> {
  const { everyMs, beat } = options;
  const slots = Array.from({ length: SLOTS }, () => new Set<Member>());
  const slotOf = new Map<Member, Set<Member>>();
  let turn = 0;
  const timer = setInterval(() => {
    turn = (turn + 1) % SLOTS;
    for (const member of slots[turn] as Set<Member>) beat(member);
  }, everyMs / SLOTS);

  return {
    add(member) {
      if (slotOf.has(member)) return;
      const emptiest = slots.reduce((best, slot) => (slot.size < best.size ? slot : best));
      emptiest.add(member);
      slotOf.set(member, emptiest);
    },
    remove(member) {
      slotOf.get(member)?.delete(member);
      slotOf.delete(member);
    },
    stop: () => clearInterval(timer),
  };
}

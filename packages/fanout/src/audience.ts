/** Who listens to what: members by key. */
export interface Audience<Key, Member> {
  join(key: Key, member: Member): void;
  leave(key: Key, member: Member): void;
  of(key: Key): Iterable<Member>;
  has(key: Key): boolean;
  keys(): Iterable<Key>;
  /** How many members there are over all keys. */
  readonly size: number;
}

/**
 * `onFirst` is called when a key gets its first member and `onLast` when it has lost its last one, so that a replica
 * is interested in what somebody here listens to, and in nothing else.
 */
export function createAudience<Key, Member>(
  hooks: { onFirst?: (key: Key) => void; onLast?: (key: Key) => void } = {},
): Audience<Key, Member> {
  const members = new Map<Key, Set<Member>>();
  let size = 0;
  return {
    join(key, member) {
      const present = members.get(key);
      if (present) {
        if (!present.has(member)) size += 1;
        present.add(member);
        return;
      }
      members.set(key, new Set([member]));
      size += 1;
      hooks.onFirst?.(key);
    },
    leave(key, member) {
      const present = members.get(key);
      if (!present?.delete(member)) return;
      size -= 1;
      if (present.size > 0) return;
      members.delete(key);
      hooks.onLast?.(key);
    },
    of: (key) => members.get(key) ?? [],
    has: (key) => members.has(key),
    keys: () => members.keys(),
    get size() {
      return size;
    },
  };
}

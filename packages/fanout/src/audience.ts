/** Who listens to what: members by key. */
export interface Audience<Member> {
  join(key: string, member: Member): void;
  leave(key: string, member: Member): void;
  /** Members may join and leave while it is iterated. */
  of(key: string): Iterable<Member>;
  /** Number of keys that have members. */
  readonly size: number;
}

export interface AudienceOptions {
  /** A key has its first member: subscribe. */
  readonly onFirst?: (key: string) => void;
  /** A key has lost its last member: unsubscribe. */
  readonly onLast?: (key: string) => void;
}

const NOBODY: Iterable<never> = [];

export function createAudience<Member>({
  onFirst,
  onLast,
}: AudienceOptions = {}): Audience<Member> {
  const members = new Map<string, Set<Member>>();
  return {
    join(key, member) {
      const known = members.get(key);
      if (known) {
        known.add(member);
        return;
      }
      members.set(key, new Set([member]));
      onFirst?.(key);
    },
    leave(key, member) {
      const known = members.get(key);
      if (!known?.delete(member) || known.size > 0) return;
      members.delete(key);
      onLast?.(key);
    },
    of: (key) => members.get(key) ?? NOBODY,
    get size() {
      return members.size;
    },
  };
}

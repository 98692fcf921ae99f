const NOBODY: readonly string[] = [];

/** Who belongs to each scope now. */
export class Members {
  readonly #sets = new Map<string, Set<string>>();
  /** Made when it is asked for, and again after a change. */
  readonly #arrays = new Map<string, readonly string[]>();

  join(receiver: string, scope: string): void {
    const members = this.#sets.get(scope) ?? new Set();
    this.#sets.set(scope, members);
    if (members.has(receiver)) return;
    members.add(receiver);
    this.#arrays.delete(scope);
  }

  leave(receiver: string, scope: string): void {
    const members = this.#sets.get(scope);
    if (!members?.delete(receiver)) return;
    this.#arrays.delete(scope);
    if (members.size === 0) this.#sets.delete(scope);
  }

  of(scope: string): readonly string[] {
    const known = this.#arrays.get(scope);
    if (known) return known;
    const members = this.#sets.get(scope);
    if (!members) return NOBODY;
    const array = [...members];
    this.#arrays.set(scope, array);
    return array;
  }
}

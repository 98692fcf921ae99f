/** Names by number, beginning with one. */
export class Names {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];

  numberOf(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#names.push(name);
      this.#numbers.set(name, number);
    }
    return number;
  }

  /** @returns 0 for a name that has no number. */
  find(name: string): number {
    return this.#numbers.get(name) ?? 0;
  }

  get all(): readonly string[] {
    return this.#names;
  }
}

import { Tally } from "./tally.ts";

/** Examples of each kind that are kept: enough to look them up in a log. */
const EXAMPLES = 5;

/** Wrongs, counted, with the first few of each kind by name. */
export class Findings {
  readonly #counts = new Tally();
  readonly #examples = new Map<string, string[]>();

  /** `describe` is only called when its text is kept. */
  add(kind: string, describe: () => string, count = 1): void {
    this.#counts.add(kind, count);
    let examples = this.#examples.get(kind);
    if (!examples) {
      examples = [];
      this.#examples.set(kind, examples);
    }
    if (examples.length < EXAMPLES) examples.push(describe());
  }

  count(kind: string): number {
    return this.#counts.of(kind);
  }

  examples(): Record<string, string[]> {
    return Object.fromEntries(this.#examples);
  }

  copy(): Findings {
    const copy = new Findings();
    for (const [kind, count] of Object.entries(this.#counts.toRecord())) {
      copy.#counts.add(kind, count);
      copy.#examples.set(kind, [...(this.#examples.get(kind) ?? [])]);
    }
    return copy;
  }
}

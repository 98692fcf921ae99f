import { hash52 } from "./hash.ts";

/** Who must get an entry, and whoever else may. Many entries share one. */
export interface Audience {
  readonly receivers: readonly string[];
  readonly slots: ReadonlyMap<string, number>;
  readonly scopes: readonly string[];
}

interface Known {
  readonly length: number;
  readonly scopesText: string;
  readonly number: number;
}

const NOBODY: readonly string[] = [];

/** Audiences by number. The same array again is known by itself, so callers keep theirs and do not change it. */
export class Audiences {
  readonly #all: Audience[] = [];
  /** By `hash52` of all its names: with thousands of names the text itself would weigh more than what it saves. */
  readonly #byHash = new Map<number, number>();
  readonly #byArray = new WeakMap<readonly string[], Known>();

  constructor() {
    // Number zero, of what was never offered: nobody.
    this.numberOf(NOBODY);
  }

  numberOf(receivers: readonly string[], scopes: readonly string[] = NOBODY): number {
    const { length } = receivers;
    const scopesText = scopes.join("\n");
    const known = this.#byArray.get(receivers);
    if (known?.length === length && known.scopesText === scopesText) return known.number;
    const hash = hash52(`${receivers.join("\n")}\n\n${scopesText}`);
    let number = this.#byHash.get(hash);
    if (number === undefined) {
      const all = [...new Set(receivers)];
      const slots = new Map(all.map((receiver, slot) => [receiver, slot]));
      number = this.#all.push({ receivers: all, slots, scopes: [...scopes] }) - 1;
      this.#byHash.set(hash, number);
    }
    this.#byArray.set(receivers, { length, scopesText, number });
    return number;
  }

  at(number: number): Audience {
    const audience = this.#all[number];
    if (!audience) throw new RangeError(`there is no audience ${number}`);
    return audience;
  }
}

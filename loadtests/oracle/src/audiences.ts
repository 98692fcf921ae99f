/** Who must get an entry, and whoever else may. Many entries share one. */
export interface Audience {
  readonly receivers: readonly string[];
  readonly slots: ReadonlyMap<string, number>;
  readonly scopes: readonly string[];
}

const NOBODY: readonly string[] = [];

/** Audiences by number. The same array again is known by itself, so callers keep theirs and do not change it. */
export class Audiences {
  readonly #all: Audience[] = [];
  readonly #byText = new Map<string, number>();
  readonly #byArray = new WeakMap<readonly string[], { scopes: string; number: number }>();

  numberOf(receivers: readonly string[], scopes: readonly string[] = NOBODY): number {
    const scopesText = scopes.join("\n");
    const known = this.#byArray.get(receivers);
    if (known && known.scopes === scopesText) {
      if (this.at(known.number).receivers.length === receivers.length) return known.number;
    }
    const text = `${receivers.join("\n")}\n\n${scopesText}`;
    let number = this.#byText.get(text);
    if (number === undefined) {
      number = this.#all.length;
      const slots = new Map(receivers.map((receiver, slot) => [receiver, slot]));
      this.#all.push({ receivers: [...receivers], slots, scopes: [...scopes] });
      this.#byText.set(text, number);
    }
    this.#byArray.set(receivers, { scopes: scopesText, number });
    return number;
  }

  at(number: number): Audience {
    const audience = this.#all[number];
    if (!audience) throw new RangeError(`there is no audience ${number}`);
    return audience;
  }
}

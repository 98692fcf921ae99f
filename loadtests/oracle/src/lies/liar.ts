/** Which lie a server tells. Each is asked for where it would be told; at most one is. */
export interface Liar {
  /** Whether to lie here: the `nth` time that it is asked for `lie`, and no other. */
  once(lie: string, nth: number): boolean;
  /** Whether to lie here: each `nth` time. */
  each(lie: string, nth: number): boolean;
  /** Whether to lie here: always. */
  always(lie: string): boolean;
}

/** @param told `null` for an honest server. */
export function createLiar(told: string | null): Liar {
  let asked = 0;
  const count = (lie: string) => (lie === told ? ++asked : 0);
  return {
    once: (lie, nth) => count(lie) === nth,
    each(lie, nth) {
      const number = count(lie);
      return number > 0 && number % nth === 0;
    },
    always: (lie) => lie === told,
  };
}

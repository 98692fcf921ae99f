/** A point that a known number of visitors are to pass. */
export interface Barrier {
  /** Resolves when all have passed. */
  readonly complete: Promise<void>;
  /** Once for each visitor, however often it is said. */
  pass(visitor: object): void;
}

export function createBarrier(visitors: number): Barrier {
  const passed = new WeakSet<object>();
  let missing = visitors;
  let resolveComplete: () => void = () => {};
  const complete = new Promise<void>((resolve) => {
    resolveComplete = resolve;
  });
  return {
    complete,
    pass(visitor) {
      if (passed.has(visitor)) return;
      passed.add(visitor);
      missing -= 1;
      if (missing <= 0) resolveComplete();
    },
  };
}

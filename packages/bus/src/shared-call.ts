/** Callers share one call, but never one that had begun before they asked. */
export function shareCalls<T>(call: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    if (!next) {
      const after = running.then(
        () => {},
        () => {},
      );
      next = after.then(() => {
        next = null;
        return call();
      });
      running = next;
    }
    return next;
  };
}

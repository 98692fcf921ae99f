/**
 * Calls `act` for each item, evenly over `windowMs` milliseconds, so that those who are sent away together do not come
 * back together.
 */
export async function spreadOver<T>(
  windowMs: number,
  items: readonly T[],
  act: (item: T) => void,
): Promise<void> {
  const startMs = performance.now();
  for (const [index, item] of items.entries()) {
    const waitMs = startMs + (windowMs * index) / items.length - performance.now();
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    act(item);
  }
}

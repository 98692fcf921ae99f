/**
 * Resolves once `condition` holds, asking every 10 ms.
 *
 * @throws when it does not within `timeoutMs`; the error says `what` was awaited.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  options: { timeoutMs?: number; what: string },
): Promise<void> {
  const { timeoutMs = 5_000, what } = options;
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * What `promise` resolves with.
 *
 * @throws when it has not settled within `ms` milliseconds; the error is what `onLate` says.
 */
export async function within<T>(ms: number, promise: Promise<T>, onLate: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${onLate()}`)), ms);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

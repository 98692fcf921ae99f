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

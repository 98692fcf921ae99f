/**
 * For a promise that nobody waits for and that rejects by a bug of ours alone, as in `work().catch(raise)`: the error
 * becomes an uncaught one. It ends a service, which logs it first, and shows in a browser's console.
 */
export function raise(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

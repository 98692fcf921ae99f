export interface Gate {
  open(): void;
  refuse(code: string): void;
  /** @throws when it was refused, or was not open after `timeoutMs`. */
  opened(timeoutMs: number): Promise<void>;
}

/** What a client's first connection is waited for with. */
export function createGate(what: string): Gate {
  const { promise, resolve, reject } = withResolvers();
  promise.catch(() => {});
  return {
    open: resolve,
    refuse: (code) => reject(new Error(`${what} was refused: ${code}`)),
    async opened(timeoutMs) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, fail) => {
        timer = setTimeout(() => fail(new Error(`${what} is not open yet`)), timeoutMs);
      });
      await Promise.race([promise, late]).finally(() => clearTimeout(timer));
    },
  };
}

function withResolvers() {
  let resolve: () => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** One line for each step of a long job, with how long it took. */
export interface Progress {
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** @param write takes a finished line, without its line break. */
export function createProgress(write: (line: string) => void): Progress {
  return {
    async step(name, work) {
      const startedAtMs = performance.now();
      const finish = (mark: string) => {
        const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
        write(`${mark} ${name.padEnd(44)} ${seconds.padStart(6)} s`);
      };
      try {
        const result = await work();
        finish("✓");
        return result;
      } catch (error) {
        finish("✗");
        throw error;
      }
    },
  };
}

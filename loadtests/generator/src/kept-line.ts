/** A connection that is opened again, after a while, whenever it breaks. */
export interface KeptLine {
  /** Resolves when it is open for the first time. */
  readonly opened: Promise<void>;
  close(): void;
}

export interface LineCounts {
  open: number;
  /** Times that an open connection broke. */
  cut: number;
  /** Attempts that failed, by what was said. */
  readonly failures: Map<string, number>;
}

export function createLineCounts(): LineCounts {
  return { open: 0, cut: 0, failures: new Map() };
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;

/** @param connect opens one connection; it calls `opened` once when it stands, and `ended` once when it is over. */
export function keepLine(
  counts: LineCounts,
  connect: (opened: () => void, ended: (reason: string) => void) => { close(): void },
): KeptLine {
  let failures = 0;
  let closed = false;
  let isOpen = false;
  let current: { close(): void } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let resolveOpened: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    resolveOpened = resolve;
  });

  function attempt(): void {
    current = connect(
      () => {
        if (closed || isOpen) return;
        isOpen = true;
        failures = 0;
        counts.open += 1;
        resolveOpened();
      },
      (reason) => {
        if (closed) return;
        if (isOpen) {
          counts.open -= 1;
          counts.cut += 1;
        } else counts.failures.set(reason, (counts.failures.get(reason) ?? 0) + 1);
        isOpen = false;
        const stepMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
        failures += 1;
        timer = setTimeout(attempt, stepMs * (0.5 + Math.random() / 2));
      },
    );
  }
  attempt();

  return {
    opened,
    close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      if (isOpen) counts.open -= 1;
      current?.close();
    },
  };
}

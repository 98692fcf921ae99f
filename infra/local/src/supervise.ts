import { raise } from "@localstreet/contracts/raise";
import type { PrivateServer } from "@localstreet/stores/private-server";
import type { ProcessExit } from "@localstreet/stores/processes";

export interface Supervision {
  /** What dies from now on stays dead. */
  hold(): void;
  /** Starts what died meanwhile, and supervises on. */
  release(): void;
  /** For good. */
  end(): void;
}

export interface SuperviseOptions {
  readonly log: (line: string) => void;
  /** Wait before the first start again; it doubles up to `maxDelayMs` while the server keeps dying. */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  /** A server that lived this long dies as if for the first time. */
  readonly steadyMs?: number;
}

/** Starts a server again whenever it dies, and says so. */
export function supervise(
  server: Pick<PrivateServer, "name" | "exited" | "start">,
  options: SuperviseOptions,
): Supervision {
  const { log, minDelayMs = 250, maxDelayMs = 10_000, steadyMs = 30_000 } = options;
  const { name } = server;
  const ended = new AbortController();
  let held: { promise: Promise<void>; resolve: () => void } | undefined;

  async function run(): Promise<void> {
    let delayMs = minDelayMs;
    while (!ended.signal.aborted) {
      const since = performance.now();
      const exit = await untilEnded(server.exited());
      if (exit === "ended") return;
      if (performance.now() - since >= steadyMs) delayMs = minDelayMs;
      if (!held) log(`${name} died (${describe(exit)}); starting it again in ${delayMs / 1_000} s`);
      await untilEnded(new Promise((resolve) => setTimeout(resolve, delayMs)));
      if (held) await untilEnded(held.promise);
      if (ended.signal.aborted) return;
      delayMs = Math.min(delayMs * 2, maxDelayMs);
      try {
        await server.start();
        log(`${name} runs again`);
      } catch (error) {
        log(`${name}: ${(error as Error).message}`);
      }
    }
  }

  async function untilEnded<T>(work: Promise<T>): Promise<T | "ended"> {
    if (ended.signal.aborted) return "ended";
    let onAbort = () => {};
    const aborted = new Promise<"ended">((resolve) => {
      onAbort = () => resolve("ended");
      ended.signal.addEventListener("abort", onAbort);
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      ended.signal.removeEventListener("abort", onAbort);
    }
  }

  run().catch(raise);
  return {
    hold() {
      if (held) return;
      let resolve = () => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      held = { promise, resolve };
    },
    release() {
      held?.resolve();
      held = undefined;
    },
    end: () => ended.abort(),
  };
}

function describe(exit: ProcessExit): string {
  return exit.signal ?? `exit code ${exit.code}`;
}

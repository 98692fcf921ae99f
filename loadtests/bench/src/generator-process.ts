import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Figures, FromGenerator, RunSpec, ToGenerator } from "./generator/specs.ts";

const PROGRAM = fileURLToPath(new URL("../dist/generator/main.js", import.meta.url));
const START_TIMEOUT_MS = 10_000;

export interface Generator {
  readonly pid: number;
  /**
   * Puts one load on a server. `onBegin` and `onEnd` run, and are awaited, while nothing is sent, before and
   * after what counts.
   *
   * @throws with what went wrong when the load could not be put, and when it takes longer than `timeoutMs`.
   */
  run(
    spec: RunSpec,
    hooks: { onBegin: () => unknown; onEnd: () => unknown },
    timeoutMs?: number,
  ): Promise<Figures>;
  stop(): void;
}

/** Starts the load generator, built, in a process of its own that ends with this one. */
export async function startGenerator(): Promise<Generator> {
  if (!existsSync(PROGRAM)) throw new Error("the benchmarks are not built: pnpm build");
  const child = fork(PROGRAM, { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  await nextMessage(child, START_TIMEOUT_MS);
  return {
    pid: child.pid as number,
    async run(spec, hooks, timeoutMs = 120_000) {
      const deadline = performance.now() + timeoutMs;
      const tell = (message: ToGenerator) => child.send(message);
      tell({ type: "run", spec });
      for (;;) {
        const message = await nextMessage(child, deadline - performance.now());
        if (message.type === "failed") throw new Error(message.message);
        if (message.type === "result") return message.figures;
        if (message.type === "begin") await hooks.onBegin();
        else await hooks.onEnd();
        tell({ type: "go" });
      }
    },
    stop() {
      process.off("exit", kill);
      kill();
    },
  };
}

async function nextMessage(child: ChildProcess, timeoutMs: number): Promise<FromGenerator> {
  return await new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
    };
    const onMessage = (message: FromGenerator) => {
      settle();
      resolve(message);
    };
    const onExit = () => {
      settle();
      reject(new Error("the load generator died"));
    };
    const timer = setTimeout(() => {
      settle();
      reject(new Error("the load took too long"));
    }, timeoutMs);
    child.once("message", onMessage);
    child.once("exit", onExit);
  });
}

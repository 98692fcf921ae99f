import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromWorker, ToWorker, WorkerPlan } from "./messages.ts";

type Finished = Extract<FromWorker, { type: "finished" }>;
type Counts = Pick<Extract<FromWorker, { type: "count" }>, "open" | "cut" | "failures">;

/** A process of the generator, as its parent sees it. */
export interface WorkerProcess {
  /** As of the last second. */
  readonly counts: Counts;
  /** Rejects when the worker fails before. */
  readonly opened: Promise<void>;
  /** Rejects when the worker fails; never resolves. */
  readonly failed: Promise<never>;
  work(): void;
  /** @throws when it takes longer than `timeoutMs`. */
  finish(timeoutMs: number): Promise<Finished>;
  kill(): void;
}

const PROGRAM = fileURLToPath(new URL("./worker.ts", import.meta.url));
const START_MS = 30_000;

export async function startWorker(plan: WorkerPlan): Promise<WorkerProcess> {
  const child = fork(PROGRAM, [], {
    execArgv: ["--conditions=source", "--import", "tsx"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  let counts: Counts = { open: 0, cut: 0, failures: {} };
  child.on("message", (message: FromWorker) => {
    if (message.type === "count") counts = message;
  });
  const failed = new Promise<never>((_resolve, reject) => {
    child.on("message", (message: FromWorker) => {
      if (message.type === "failed") reject(new Error(message.message));
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      reject(new Error(`a process of the generator ended with ${signal ?? code}`));
    });
  });
  // Whoever waits for something of the worker waits for this as well.
  failed.catch(() => {});
  const tell = (order: ToWorker) => void child.send(order);
  const heard = <T extends FromWorker["type"]>(type: T, timeoutMs: number) =>
    Promise.race([messageOf(child, type, timeoutMs), failed]);

  try {
    await heard("ready", START_MS);
  } catch (error) {
    kill();
    throw error;
  }
  const opened = Promise.race([messageOf(child, "opened"), failed]).then(() => {});
  opened.catch(() => {});
  tell({ type: "open", plan });
  return {
    get counts() {
      return counts;
    },
    opened,
    failed,
    work: () => tell({ type: "work" }),
    async finish(timeoutMs) {
      const finished = heard("finished", timeoutMs);
      tell({ type: "finish" });
      return await finished;
    },
    kill,
  };
}

/** @throws {Error} when it does not come within `timeoutMs`. */
function messageOf<T extends FromWorker["type"]>(
  child: ChildProcess,
  type: T,
  timeoutMs?: number,
): Promise<Extract<FromWorker, { type: T }>> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      child.off("message", listen);
      finish();
    };
    const listen = (message: FromWorker) => {
      if (message.type === type) {
        settle(() => resolve(message as Extract<FromWorker, { type: T }>));
      }
    };
    const late = () =>
      settle(() => reject(new Error(`a process of the generator was not "${type}" in time`)));
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
    child.on("message", listen);
  });
}

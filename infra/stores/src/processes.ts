import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { findBinary } from "./binaries.ts";

export interface ProcessSpec {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** A command that runs another one (`unshare`, `setpriv`), with its options. */
  readonly prefix?: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Takes stdout and stderr, appended. */
  readonly logFile: string;
  /** Holds the pid while the process lives. */
  readonly pidFile?: string;
  /** Sent to the process when the process that started it dies without a word. SIGKILL when absent. Linux only. */
  readonly orphanSignal?: NodeJS.Signals;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** `undefined` while it runs. */
  readonly exit: ProcessExit | undefined;
  readonly exited: Promise<ProcessExit>;
  kill(signal: NodeJS.Signals): void;
  /** Asks with `signal`, and kills the whole process group after `graceMs`. Resolves when the process is gone. */
  stop(signal: NodeJS.Signals, graceMs: number): Promise<void>;
}

const running = new Set<ChildProcess>();
let hooked = false;

/**
 * Starts a process in a group of its own, so that a Ctrl-C in the terminal reaches only the one who supervises it. It
 * does not outlive this process: it is killed when this process exits, and by the kernel (Linux, `setpriv`) when this
 * process is killed.
 *
 * @throws when the command cannot be started.
 */
export async function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  hookExit();
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const [command, ...args] = boundToParent(spec);
  const log = openSync(spec.logFile, "a");
  const child = spawn(command, args, {
    cwd: spec.cwd,
    detached: true,
    stdio: ["ignore", log, log],
    ...(spec.env ? { env: spec.env as NodeJS.ProcessEnv } : {}),
  });
  closeSync(log);
  running.add(child);

  let exit: ProcessExit | undefined;
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once("exit", (code, signal) => {
      running.delete(child);
      exit = { code, signal };
      // What it started may still be there, and hold its port.
      if (child.pid !== undefined) signalQuietly(-child.pid, "SIGKILL");
      if (spec.pidFile !== undefined) rmSync(spec.pidFile, { force: true });
      resolve(exit);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => {
      running.delete(child);
      reject(error);
    });
  });
  const pid = child.pid as number;
  if (spec.pidFile !== undefined) writeFileSync(spec.pidFile, `${pid}\n`);

  return {
    name: spec.name,
    pid,
    get exit() {
      return exit;
    },
    exited,
    kill(signal) {
      if (!exit) signalQuietly(pid, signal);
    },
    async stop(signal, graceMs) {
      if (exit) return;
      signalQuietly(pid, signal);
      // A frozen process reads no signal but this one.
      signalQuietly(-pid, "SIGCONT");
      const timer = setTimeout(() => signalQuietly(-pid, "SIGKILL"), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** The last lines of a log file, for the one who asks why. */
export function lastLines(file: string, count = 20): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-count).join("\n");
  } catch {
    return "";
  }
}

/** Signals a process, or with a negative number a process group, that may be gone. */
export function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

/** Whether a process runs. One that is dead and that nobody has asked about yet (a zombie) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== "linux") return true;
  try {
    // The state follows the name, which is in parentheses and may hold anything (proc(5)).
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** Resolves when the process is gone, or after `timeoutMs` all the same. */
export async function untilGone(pid: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(pid) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The binding comes last: the kernel forgets it when the process changes its user. */
function boundToParent(spec: ProcessSpec): [string, ...string[]] {
  const setpriv = process.platform === "linux" ? findBinary("setpriv") : null;
  const signal = (spec.orphanSignal ?? "SIGKILL").replace(/^SIG/, "");
  const binding = setpriv === null ? [] : [setpriv, "--pdeathsig", signal, "--"];
  return [...(spec.prefix ?? []), ...binding, spec.command, ...spec.args] as [string, ...string[]];
}

function hookExit(): void {
  if (hooked) return;
  hooked = true;
  const killAll = () => {
    for (const child of running) if (child.pid !== undefined) signalQuietly(-child.pid, "SIGKILL");
  };
  process.once("exit", killAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const onSignal = () => {
      // Another listener ends things in its own order.
      if (process.listenerCount(signal) > 1) return;
      killAll();
      process.off(signal, onSignal);
      process.kill(process.pid, signal);
    };
    process.on(signal, onSignal);
  }
}

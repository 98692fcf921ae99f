import { mkdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { findFreePort } from "./free-port.ts";
import { killLeftover } from "./leftover.ts";
import {
  lastLines,
  type ProcessExit,
  type ProcessSpec,
  type RunningProcess,
  signalQuietly,
  startProcess,
  untilGone,
} from "./processes.ts";

/** A server of ours that can be killed, frozen and started again on the same port with the same data. */
export interface PrivateServer {
  readonly name: string;
  readonly port: number;
  /** Pid of the running server; of the last one when it is down. */
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process that runs now is gone. */
  exited(): Promise<ProcessExit>;
  /** SIGKILL unless another signal is given. Resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after a kill, and waits until it answers. Nothing happens when it runs. */
  start(): Promise<void>;
  /** Stops the processes without ending them: connections stay open and nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Ends it in its own orderly way, by force after `stopGraceMs`. */
  stop(): Promise<void>;
}

export type Launch = Pick<ProcessSpec, "command" | "args" | "prefix" | "env" | "orphanSignal">;

export interface PrivateServerOptions {
  readonly name: string;
  /** Made when it is missing. Everything that the server writes is in it. */
  readonly dir: string;
  /** A free port when it is absent or 0. */
  readonly port?: number | undefined;
  /** `<name>.log` in `dir` when it is absent. */
  readonly logFile?: string | undefined;
  /** Prepares `dir` and says what to run. */
  readonly prepare: (dir: string, port: number) => Promise<Launch>;
  readonly isReady: (dir: string, port: number, pid: number) => Promise<boolean>;
  readonly stopSignal: NodeJS.Signals;
  readonly startTimeoutMs?: number;
  readonly stopGraceMs?: number;
}

const POLL_MS = 10;
const PORT_ATTEMPTS = 5;

/**
 * Starts a server and waits until it is ready. One that an earlier owner left running in `dir` is ended first.
 *
 * @throws with the last lines of the server's log when it does not come up.
 */
export async function startPrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  const { name, startTimeoutMs = 30_000, stopGraceMs = 10_000 } = options;
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const dir = realpathSync(options.dir);
  const logFile = options.logFile ?? join(dir, `${name}.log`);
  const pidFile = join(dir, `${name}.pid`);

  async function launch(port: number): Promise<RunningProcess> {
    await killLeftover(pidFile, dir);
    const spec = await options.prepare(dir, port);
    const server = await startProcess({ ...spec, name, cwd: dir, logFile, pidFile });
    const deadline = Date.now() + startTimeoutMs;
    while (!(await options.isReady(dir, port, server.pid))) {
      if (server.exit || Date.now() > deadline) {
        await server.stop("SIGKILL", 0);
        throw new Error(`${name} did not start:\n${lastLines(logFile)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return server;
  }

  let port = options.port || (await findFreePort());
  let current: RunningProcess | undefined;
  for (let attempt = 1; current === undefined; attempt++) {
    try {
      current = await launch(port);
    } catch (error) {
      const taken = /address already in use|EADDRINUSE/i.test(lastLines(logFile));
      if (options.port || !taken || attempt === PORT_ATTEMPTS) throw error;
      port = await findFreePort();
    }
  }
  let server = current;
  let starting: Promise<RunningProcess> | undefined;

  return {
    name,
    get port() {
      return port;
    },
    get pid() {
      return server.pid;
    },
    logFile,
    exited: () => server.exited,
    async kill(signal = "SIGKILL") {
      const children = childrenOf(server.pid);
      server.kill(signal);
      await server.exited;
      for (const pid of children) signalQuietly(pid, "SIGKILL");
      await Promise.all(children.map((pid) => untilGone(pid, 1_000)));
    },
    async start() {
      if (!server.exit) return;
      starting ??= launch(port).finally(() => {
        starting = undefined;
      });
      server = await starting;
    },
    freeze() {
      signalQuietly(server.pid, "SIGSTOP");
      for (const pid of childrenOf(server.pid)) signalQuietly(pid, "SIGSTOP");
    },
    thaw() {
      for (const pid of childrenOf(server.pid)) signalQuietly(pid, "SIGCONT");
      signalQuietly(server.pid, "SIGCONT");
    },
    async stop() {
      await starting?.catch(() => {});
      for (const pid of childrenOf(server.pid)) signalQuietly(pid, "SIGCONT");
      await server.stop(options.stopSignal, stopGraceMs);
    },
  };
}

/** Postgres' processes each lead a group of their own, so a group does not find them. Linux only. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return (text.match(/\d+/g) ?? []).map(Number);
  } catch {
    return [];
  }
}

import { join } from "node:path";
import { startBaseline } from "./baseline-process.ts";
import type { Contestant, Started } from "./benchmark.ts";
import type { RunSpec } from "./generator/specs.ts";
import type { Lab } from "./lab.ts";
import { compileLimitServer, limitMissing } from "./limit-server.ts";
import { nchanMissing, startNchan } from "./nchan-server.ts";

/** Where a baseline's replicas listen. */
export interface BaselinePorts {
  readonly ports: readonly number[];
  readonly controlPorts: readonly number[];
}

/** One of our own baseline servers, in one process or several. */
export function baselineContestant(options: {
  name: string;
  program: string;
  replicas?: number;
  env?: (lab: Lab) => Promise<NodeJS.ProcessEnv>;
  storePids?: (lab: Lab) => Promise<readonly number[]>;
  load: (lab: Lab, at: BaselinePorts & { env: NodeJS.ProcessEnv }) => RunSpec | Promise<RunSpec>;
  /** Starts the processes anew before each round, for what a process keeps. */
  fresh?: boolean;
}): Contestant {
  return {
    name: options.name,
    async start(lab): Promise<Started> {
      const env = (await options.env?.(lab)) ?? {};
      const storePids = (await options.storePids?.(lab)) ?? [];
      const startAll = () =>
        Promise.all(
          Array.from({ length: options.replicas ?? 1 }, (_, index) =>
            startBaseline({
              name: `${options.name}-${index + 1}`.replaceAll(/[^a-z0-9]+/gi, "-"),
              dir: join(lab.dir, "baselines"),
              program: options.program,
              env,
            }),
          ),
        );
      let processes = await startAll();
      const stop = async () => void (await Promise.all(processes.map((server) => server.stop())));
      return {
        pids: () => processes.map(({ pid }) => pid),
        storePids: () => storePids,
        load: () =>
          options.load(lab, {
            env,
            ports: processes.map(({ port }) => port),
            controlPorts: processes.map(({ controlPort }) => controlPort),
          }),
        ...(options.fresh
          ? {
              async renew() {
                await stop();
                processes = await startAll();
              },
            }
          : {}),
        stop,
      };
    },
  };
}

/** The C++ epoll server. */
export function limitContestant(
  load: (lab: Lab, at: BaselinePorts) => RunSpec | Promise<RunSpec>,
): Contestant {
  return {
    name: "limit",
    missing: limitMissing,
    async start(lab) {
      const dir = join(lab.dir, "baselines");
      const command = compileLimitServer(dir);
      const server = await startBaseline({ name: "limit", dir, program: { command, args: [] } });
      return {
        pids: () => [server.pid],
        load: () => load(lab, { ports: [server.port], controlPorts: [server.controlPort] }),
        stop: () => server.stop(),
      };
    },
  };
}

/** nginx with nchan. */
export function nchanContestant(
  load: (lab: Lab, port: number) => RunSpec,
  options: { fresh?: boolean } = {},
): Contestant {
  return {
    name: "nchan",
    missing: nchanMissing,
    async start(lab) {
      const server = await startNchan(join(lab.dir, "nchan"));
      return {
        pids: () => [server.pid],
        load: () => load(lab, server.port),
        ...(options.fresh
          ? {
              async renew() {
                await server.kill();
                await server.start();
              },
            }
          : {}),
        stop: () => server.stop(),
      };
    },
  };
}

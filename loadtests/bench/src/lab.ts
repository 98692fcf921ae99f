import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Platform, startPlatform } from "@localstreet/local/platform";
import { type Generator, startGenerator } from "./generator-process.ts";

export interface LabSettings {
  readonly rounds: number;
  readonly windowMs: number;
  readonly warmUpMs: number;
  /** Takes CPU profiles of the platform's service while it is measured. */
  readonly profileDir: string | undefined;
}

/** What all benchmarks of a run share. */
export interface Lab {
  readonly settings: LabSettings;
  /** Holds what servers write. */
  readonly dir: string;
  readonly generator: Generator;
  /** The platform with one replica of each service, started when it is first asked for. */
  platform(): Promise<Platform>;
  /** What the platform's tokens are signed with. */
  readonly jwtSecret: string;
  /** Something that no earlier round has used. */
  freshName(prefix: string): string;
  /** What several benchmarks need to know and one of them finds out. */
  once(name: string, find: () => Promise<number>): Promise<number>;
  close(): Promise<void>;
}

/** Limits that would stop a load test, out of its way; all of them are settings of the services. */
const PLATFORM_ENV = {
  LOG_LEVEL: "warn",
  MESSAGES_PER_SECOND: "1000000",
  MESSAGES_BURST: "1000000",
  FRAMES_PER_SECOND: "1000000",
  CONNECTIONS_PER_USER: "1000000",
  OPENINGS_PER_SECOND: "1000000",
  OPENINGS_BURST: "1000000",
  REQUESTS_PER_SECOND: "1000000",
  REQUESTS_BURST: "1000000",
  BACKEND_REQUESTS_PER_SECOND: "1000000",
  BACKEND_REQUESTS_BURST: "1000000",
  FIXES_PER_SECOND: "1000000",
  FIXES_BURST: "1000000",
  GATEWAY_CONNECTIONS_PER_ADDRESS: "60000",
  GATEWAY_REQUESTS_PER_ADDRESS: "1000000",
  // A driver that Redis does not know counts as watched for a while; here each starts as what it is meant to be.
  UNKNOWN_DRIVER_MS: "0",
};

const PROFILER = new URL("./profiler.mjs", import.meta.url);
/** For servers in Node; see `collectGarbage`. */
export const COLLECTOR_OPTION = `--import ${new URL("./collect-garbage.mjs", import.meta.url).href}`;

export async function openLab(settings: LabSettings, dir: string): Promise<Lab> {
  const generator = await startGenerator();
  let platform: Promise<Platform> | undefined;
  const known = new Map<string, Promise<number>>();
  let names = 0;
  const jwtSecret = randomBytes(32).toString("base64url");
  const { profileDir } = settings;
  return {
    settings,
    dir,
    generator,
    jwtSecret,
    platform() {
      platform ??= startPlatform({
        dataDir: join(dir, "platform"),
        replicas: {
          "notification-sse": 1,
          "chat-ws": 1,
          "tracking-ingest": 1,
          "tracking-fanout": 1,
        },
        env: {
          PATH: process.env.PATH,
          AUTH_JWT_SECRET: jwtSecret,
          ...PLATFORM_ENV,
          NODE_OPTIONS: COLLECTOR_OPTION,
          ...(profileDir === undefined
            ? {}
            : {
                NODE_OPTIONS: `${COLLECTOR_OPTION} --import ${PROFILER.href}`,
                BENCH_PROFILE_DIR: profileDir,
              }),
        },
      });
      return platform;
    },
    freshName(prefix) {
      names++;
      return `${prefix}${Date.now().toString(36)}${names}`;
    },
    once(name, find) {
      const found = known.get(name) ?? find();
      known.set(name, found);
      return found;
    },
    async close() {
      generator.stop();
      await (await platform?.catch(() => undefined))?.stop();
    },
  };
}

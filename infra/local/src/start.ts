import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { raise } from "@localstreet/contracts/raise";
import { OPENSSL } from "./certificate.ts";
import { CHECKOUT } from "./checkout.ts";
import { ensurePrograms, STORE_PROGRAMS } from "./ensure-programs.ts";
import { acquireLock } from "./lock.ts";
import { parseOptions, type StartOptions, USAGE } from "./options.ts";
import { type Platform, startPlatform } from "./platform.ts";
import { pnpmExec, QUIET_TOOLS } from "./pnpm.ts";
import { createProgress } from "./progress.ts";
import { runCommand } from "./run-command.ts";
import { tryItLines } from "./try-it.ts";

const DATA_DIR = process.env.LOCALSTREET_DIR || join(CHECKOUT, ".localstreet");
/** Where the platform answers while it runs: read by `npm run loadtest`. */
const ADDRESS_FILE = join(DATA_DIR, "address");
const SETUP_LOG_DIR = join(DATA_DIR, "setup");
const PREFERRED_PORT = 8080;
const PREFERRED_TLS_PORT = 8443;
const BUILD_TIMEOUT_MS = 600_000;
/** The services, the page and the simulator, with the packages that they are made of. */
const WHAT_RUNS = ["--filter=./services/*", "--filter=@localstreet/simulator"];
/** How often to look whether whoever started this is still there. */
const PARENT_CHECK_MS = 1_000;

const say = (line: string) => console.log(line);

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2));
  if (parsed.kind === "help") return say(USAGE);
  if (parsed.kind === "wrong") return fail(`${parsed.message}\n\n${USAGE}`, 2);

  const lock = acquireLock(join(DATA_DIR, "lock"));
  if (lock.kind === "held") {
    return fail(`The platform of this checkout runs already (process ${lock.pid}).`, 1);
  }
  process.once("exit", () => {
    rmSync(ADDRESS_FILE, { force: true });
    lock.release();
  });

  let platform: Platform | undefined;
  let isStopping = false;
  const stop = async (why: string) => {
    if (isStopping) return;
    isStopping = true;
    // While it still starts, what has started is killed as this process exits.
    if (!platform) process.exit(1);
    say(`\nStopping (${why}).`);
    await platform.stop();
    say("Stopped; the data is kept.");
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      stop(signal).catch(raise);
    });
  }
  stopWithParent(stop);

  try {
    platform = await start(parsed.options);
  } catch (error) {
    return fail(`\n${(error as Error).message}`, 1);
  }
  await announce(platform, parsed.options);
}

async function start(options: StartOptions): Promise<Platform> {
  const progress = createProgress(say);
  if (options.reset) await progress.step("reset", async () => dropData());
  const programs = options.tls ? [...STORE_PROGRAMS, OPENSSL] : STORE_PROGRAMS;
  await progress.step("NATS, Redis, Postgres and nginx found", () =>
    ensurePrograms(programs, { log: say, logFile: join(SETUP_LOG_DIR, "apt-get.log") }),
  );
  return await startPlatform({
    dataDir: join(DATA_DIR, "platform"),
    port: options.port,
    preferredPort: PREFERRED_PORT,
    tls: options.tls ? { preferredPort: PREFERRED_TLS_PORT } : undefined,
    replicas: options.replicas,
    env: process.env,
    simulator: options.simulator,
    progress,
    log: say,
    build: () => progress.step("build", build),
  });
}

function dropData(): void {
  rmSync(join(DATA_DIR, "platform"), { recursive: true, force: true });
}

async function build(): Promise<void> {
  await runCommand({
    name: "build",
    ...pnpmExec("turbo", "run", "build", "--output-logs=errors-only", ...WHAT_RUNS),
    env: QUIET_TOOLS,
    logFile: join(SETUP_LOG_DIR, "build.log"),
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}

async function announce(platform: Platform, options: StartOptions): Promise<void> {
  const tryIt = await tryItLines(platform);
  writeFileSync(join(DATA_DIR, "try-it.sh"), tryIt, { mode: 0o600 });
  writeFileSync(ADDRESS_FILE, `${platform.url}\n`);
  const startedAtMs = Number(process.env.LOCALSTREET_STARTED_AT_MS ?? performance.timeOrigin);
  const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(1);
  say(`\n${tryIt}`);
  if (options.simulator && !platform.signsTokens) {
    say("No simulator: it signs tokens of its own, and a key set says that somebody else does.\n");
  }
  say(`Logs:  ${platform.logDir}`);
  if (platform.tls) {
    say(`TLS:   ${platform.tls.url}  (HTTP/2; certificate: ${platform.tls.certificateFile})`);
  }
  say(`Up after ${seconds} s:  ${platform.url}`);
}

/** Ends the platform when the one who started it was killed, so that nothing is left without an owner. */
function stopWithParent(stop: (why: string) => Promise<void>): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) stop("its parent is gone").catch(raise);
  }, PARENT_CHECK_MS);
  timer.unref();
}

function fail(message: string, code: number): void {
  console.error(message);
  process.exit(code);
}

await main();

// What has to happen before a dependency is there. No imports but Node's own.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const STAMP = join(CHECKOUT, "node_modules/.localstreet-installed");
const INSTALL_LOG = join(CHECKOUT, ".localstreet/setup/install.log");

/** Exits when this Node is too old to go on. */
export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Node ${process.versions.node} is too old: 20.19 or later is needed.`);
  process.exit(1);
}

/** Installs the dependencies with the pnpm that package.json pins, unless they are those of the lockfile already. */
export async function installDependencies() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(CHECKOUT, "pnpm-lock.yaml")))
    .digest("hex");
  if (readOrNothing(STAMP) === wanted) return;

  const { packageManager } = JSON.parse(readFileSync(join(CHECKOUT, "package.json"), "utf8"));
  const startedAt = performance.now();
  mkdirSync(dirname(INSTALL_LOG), { recursive: true, mode: 0o700 });
  const log = openSync(INSTALL_LOG, "w");
  const install = spawn("npx", ["-y", packageManager, "install", "--frozen-lockfile"], {
    cwd: CHECKOUT,
    stdio: ["ignore", log, log],
    // Without CI pnpm asks before it rebuilds node_modules, and there may be nobody to answer.
    env: { ...process.env, CI: "true" },
  });
  closeSync(log);
  const code = await exitCode(install);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
  console.log(`${code === 0 ? "✓" : "✗"} ${"dependencies installed".padEnd(44)} ${seconds} s`);
  if (code !== 0) {
    const lines = readOrNothing(INSTALL_LOG).trimEnd().split("\n").slice(-30).join("\n");
    console.error(`\nThe install failed; ${INSTALL_LOG} ends with:\n${lines}`);
    process.exit(1);
  }
  writeFileSync(STAMP, wanted);
}

/** Runs one of our programs from source in a process of its own, and ends as it does. */
export async function runFromSource(script) {
  const program = spawn(
    process.execPath,
    ["--conditions=source", "--import", "tsx", script, ...process.argv.slice(2)],
    {
      cwd: CHECKOUT,
      stdio: "inherit",
      env: {
        ...process.env,
        LOCALSTREET_STARTED_AT_MS: String(Date.now() - process.uptime() * 1_000),
      },
    },
  );
  const passOn = (signal) => program.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, passOn);
  // Whoever called npm may be killed without a word.
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) passOn("SIGTERM");
  }, 1_000).unref();
  process.exit(await exitCode(program));
}

function exitCode(child) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal === null ? code : 1));
  });
}

function readOrNothing(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

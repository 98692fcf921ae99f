import { existsSync, rmSync, writeFileSync } from "node:fs";
import { findBinary } from "@localstreet/stores/binaries";
import { runCommand } from "./run-command.ts";

/** A program, where it comes from, and the names under which it may be found. */
export interface Program {
  readonly binaries: readonly string[];
  readonly apt: string;
  readonly brew: string;
}

export const STORE_PROGRAMS: readonly Program[] = [
  { binaries: ["nats-server"], apt: "nats-server", brew: "nats-server" },
  { binaries: ["redis-server"], apt: "redis-server", brew: "redis" },
  { binaries: ["postgres"], apt: "postgresql", brew: "postgresql@17" },
  { binaries: ["nginx"], apt: "nginx", brew: "nginx" },
];

export const BROWSER: Program = {
  binaries: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  apt: "chromium",
  brew: "--cask chromium",
};

/** Where a program is, under any of its names. */
export function findProgram(program: Program): string | null {
  for (const name of program.binaries) {
    const file = findBinary(name);
    if (file !== null) return file;
  }
  return null;
}

/**
 * Finds the programs, and on Debian and Ubuntu as root installs those that are missing, and nothing else.
 *
 * @throws with what is missing and the command that gets it.
 */
export async function ensurePrograms(
  programs: readonly Program[],
  options: { log: (line: string) => void; logFile: string },
): Promise<void> {
  const missing = programs.filter((program) => findProgram(program) === null);
  if (missing.length === 0) return;
  const packages = missing.map((program) => program.apt);
  const canInstall = process.getuid?.() === 0 && findBinary("apt-get") !== null;
  if (!canInstall) throw new Error(missingMessage(missing));

  options.log(`  Not installed here: ${packages.join(", ")}. Installing with apt-get.`);
  const env = {
    DEBIAN_FRONTEND: "noninteractive",
    // Either keeps Debian from starting its own instances of what it installs.
    RUNLEVEL: "1",
  };
  const aptGet = async (...args: string[]) =>
    await runCommand({
      name: "apt-get",
      command: "apt-get",
      args,
      env,
      logFile: options.logFile,
      timeoutMs: 600_000,
    });
  const restore = forbidServiceStarts();
  try {
    await aptGet("update");
    await aptGet("install", "-y", "--no-install-recommends", ...packages);
  } finally {
    restore();
  }
  const stillMissing = missing.filter((program) => findProgram(program) === null);
  if (stillMissing.length > 0) throw new Error(missingMessage(stillMissing));
}

/** Debian asks this file before it starts a service (invoke-rc.d(8)); 101 forbids it. */
function forbidServiceStarts(): () => void {
  const file = "/usr/sbin/policy-rc.d";
  if (existsSync(file)) return () => {};
  writeFileSync(file, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  return () => rmSync(file, { force: true });
}

function missingMessage(missing: readonly Program[]): string {
  const names = missing.map((program) => program.binaries[0]).join(", ");
  const apt = missing.map((program) => program.apt).join(" ");
  const brew = missing.map((program) => program.brew).join(" ");
  return `not installed: ${names}
  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${apt}
  macOS:           brew install ${brew}`;
}

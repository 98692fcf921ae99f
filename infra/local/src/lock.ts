import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isAlive } from "@localstreet/stores/processes";

export type Lock =
  | { readonly kind: "acquired"; release(): void }
  | { readonly kind: "held"; readonly pid: number };

/** Makes this process the only one that runs a platform on the data beside `file`. A lock of a dead process is void. */
export function acquireLock(file: string): Lock {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const mine = JSON.stringify({ pid: process.pid, command: commandOf(process.pid) });
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(file, mine, { flag: "wx" });
      return {
        kind: "acquired",
        release() {
          if (read(file)?.pid === process.pid) rmSync(file, { force: true });
        },
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = read(file);
    // A pid is given out again after a while, hence the command.
    if (holder && isAlive(holder.pid) && commandOf(holder.pid) === holder.command) {
      return { kind: "held", pid: holder.pid };
    }
    rmSync(file, { force: true });
  }
  throw new Error(`${file} comes back as often as it is removed`);
}

function read(file: string): { pid: number; command: string } | null {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

function commandOf(pid: number): string {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    const args = ["-o", "command=", "-p", String(pid)];
    return execFileSync("ps", args, { encoding: "utf8", timeout: 5_000 }).trim();
  } catch {
    return "";
  }
}

import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync, rmSync } from "node:fs";
import { signalQuietly, untilGone } from "./processes.ts";

/**
 * Kills the process that `pidFile` names if it still works in `dir`: one whose parent was killed. A pid that another
 * process got meanwhile is left alone.
 */
export async function killLeftover(pidFile: string, dir: string): Promise<void> {
  let pid: number;
  try {
    pid = Number.parseInt(readFileSync(pidFile, "utf8"), 10);
  } catch {
    return;
  }
  if (Number.isSafeInteger(pid) && pid > 1 && worksIn(pid, dir)) {
    signalQuietly(pid, "SIGCONT");
    signalQuietly(pid, "SIGKILL");
    await untilGone(pid, 5_000);
  }
  rmSync(pidFile, { force: true });
}

function worksIn(pid: number, dir: string): boolean {
  const folder = workingFolder(pid);
  return folder !== null && (folder === dir || folder.startsWith(`${dir}/`));
}

function workingFolder(pid: number): string | null {
  try {
    if (process.platform === "linux") return readlinkSync(`/proc/${pid}/cwd`);
    const output = execFileSync("lsof", ["-a", "-p", String(pid), "-d", "cwd", "-Fn"], {
      encoding: "utf8",
      timeout: 5_000,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return /^n(.*)$/m.exec(output)?.[1] ?? null;
  } catch {
    return null;
  }
}

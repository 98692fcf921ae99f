import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { findBinary } from "@localstreet/stores/binaries";

/** When, where and with what a run was made. */
export interface Surroundings {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly versions: string;
}

export function readSurroundings(checkout: string): Surroundings {
  const commit = firstLine("git", ["-C", checkout, "rev-parse", "--short", "HEAD"]) ?? "unknown";
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  const { length } = cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    commit,
    machine: `${length} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ${gigabytes} GB, ${process.platform}`,
    versions: [
      `Node ${process.versions.node}`,
      versionOf("nats-server"),
      versionOf("redis-server"),
      versionOf("postgres"),
      versionOf("nginx", "-v"),
    ].join(", "),
  };
}

function versionOf(name: string, flag = "--version"): string {
  const file = findBinary(name);
  const line = file === null ? null : firstLine(file, [flag]);
  return `${name} ${line?.match(/\d+\.\d+(\.\d+)?/)?.[0] ?? "unknown"}`;
}

/** Of what a command prints, on either output. */
function firstLine(command: string, args: readonly string[]): string | null {
  try {
    const output = execFileSync("sh", ["-c", '"$0" "$@" 2>&1', command, ...args], {
      encoding: "utf8",
      timeout: 5_000,
    });
    return output.split("\n")[0] ?? null;
  } catch {
    return null;
  }
}

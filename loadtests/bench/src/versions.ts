import { execFileSync } from "node:child_process";
import { findBinary } from "@localstreet/stores/binaries";

const ARGUMENTS = {
  "nats-server": "--version",
  "redis-server": "--version",
  postgres: "--version",
  nginx: "-v",
} as const;

/** Versions of what is measured, as far as it is installed. */
export function readVersions(): Record<string, string> {
  const versions: Record<string, string> = { Node: process.versions.node };
  for (const [name, argument] of Object.entries(ARGUMENTS)) {
    const binary = findBinary(name);
    if (binary === null) continue;
    // nginx tells its version on stderr.
    const text = execFileSync("/bin/sh", ["-c", `"${binary}" ${argument} 2>&1`], {
      encoding: "utf8",
    });
    const version = /(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
    if (version !== undefined) versions[name] = version;
  }
  return versions;
}

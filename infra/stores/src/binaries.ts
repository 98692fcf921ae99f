import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs that the platform runs. `postgres` and `initdb` come together. */
export type BinaryName = "nats-server" | "redis-server" | "postgres" | "initdb" | "nginx";

/** Where `name` is: on the PATH, or where Debian and Homebrew put what is not on everybody's PATH. */
export function findBinary(name: string, path = systemPath()): string | null {
  for (const folder of [...path.split(delimiter), ...usualFolders()]) {
    if (folder === "") continue;
    const file = join(folder, name);
    if (isExecutable(file)) return file;
  }
  return null;
}

/** @throws when the program is not installed. */
export function requireBinary(name: BinaryName): string {
  const file = findBinary(name);
  if (file === null) throw new Error(`${name} is not installed, or not on the PATH`);
  return file;
}

function systemPath(): string {
  return process.env.PATH ?? "";
}

/** Newest Postgres first. */
function usualFolders(): string[] {
  return [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/opt/homebrew/bin",
    ...versioned("/usr/lib/postgresql", (version) => version),
    ...versioned("/usr/pgsql", (version) => version),
    ...["/opt/homebrew/opt", "/usr/local/opt"].flatMap((folder) =>
      versioned(folder, (entry) => /^postgresql@(\d+)$/.exec(entry)?.[1] ?? ""),
    ),
  ];
}

function versioned(folder: string, versionOf: (entry: string) => string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch {
    return [];
  }
  return entries
    .filter((entry) => /^\d+$/.test(versionOf(entry)))
    .sort((a, b) => Number(versionOf(b)) - Number(versionOf(a)))
    .map((entry) => join(folder, entry, "bin"));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBinary } from "@localstreet/stores/binaries";

const SOURCE = fileURLToPath(new URL("../limit-server/epoll-server.cpp", import.meta.url));
const COMPILE_TIMEOUT_MS = 60_000;

/** Why the C++ server cannot run here; `null` when it can. */
export function limitMissing(): string | null {
  if (process.platform !== "linux") return "the C++ epoll server runs on Linux only";
  return findBinary("g++") === null ? "no C++ compiler: apt-get install g++" : null;
}

/** Compiles the epoll server unless that has been done. @returns where the program is. */
export function compileLimitServer(dir: string): string {
  mkdirSync(dir, { recursive: true });
  const program = join(dir, "epoll-server");
  if (existsSync(program) && statSync(program).mtimeMs > statSync(SOURCE).mtimeMs) return program;
  execFileSync(findBinary("g++") ?? "g++", ["-O2", "-std=c++20", "-o", program, SOURCE], {
    timeout: COMPILE_TIMEOUT_MS,
  });
  return program;
}

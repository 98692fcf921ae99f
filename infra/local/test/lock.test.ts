import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireLock } from "../src/lock.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "localstreet-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a second start finds who holds the lock, and a release frees it", () => {
  const file = join(folder, "data/lock");
  const first = acquireLock(file);
  expect(first.kind).toBe("acquired");
  expect(acquireLock(file)).toEqual({ kind: "held", pid: process.pid });
  if (first.kind === "acquired") first.release();
  expect(acquireLock(file).kind).toBe("acquired");
});

test("the lock of a dead process, or of a pid that is somebody else's now, is void", async () => {
  const file = join(folder, "lock");
  const child = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => child.once("exit", resolve));
  await writeFile(file, JSON.stringify({ pid: child.pid, command: "node" }));
  expect(acquireLock(file).kind).toBe("acquired");
  await writeFile(file, JSON.stringify({ pid: process.pid, command: "another program" }));
  expect(acquireLock(file).kind).toBe("acquired");
  await writeFile(file, "cut sho");
  expect(acquireLock(file).kind).toBe("acquired");
});

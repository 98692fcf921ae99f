import { expect, test } from "vitest";
import { cpuMicros, parseTicks, pssBytes } from "./process-cost.ts";

test("ticks are found behind a name with spaces and parentheses", () => {
  const stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 7 20 0 1 0 100 1 2";
  expect(parseTicks(stat)).toEqual({ own: 300, endedChildren: 14 });
});

test.skipIf(process.platform !== "linux")("work costs CPU time, and a process has memory", () => {
  const before = cpuMicros([process.pid]);
  const own = process.cpuUsage();
  let used = { user: 0, system: 0 };
  while (used.user + used.system < 200_000) used = process.cpuUsage(own);
  expect(cpuMicros([process.pid]) - before).toBeGreaterThanOrEqual(150_000);
  expect(pssBytes([process.pid])).toBeGreaterThan(1_000_000);
});

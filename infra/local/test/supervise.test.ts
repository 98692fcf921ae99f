import type { ProcessExit } from "@localstreet/stores/processes";
import { until } from "@localstreet/testkit/wait";
import { afterEach, expect, test, vi } from "vitest";
import { type Supervision, supervise } from "../src/supervise.ts";

/** A server whose deaths the test decides. */
function mortalServer(options: { startsFail?: number } = {}) {
  let failures = options.startsFail ?? 0;
  let die: (exit: ProcessExit) => void = () => {};
  let exited = new Promise<ProcessExit>(() => {});
  const live = () => {
    exited = new Promise((resolve) => {
      die = resolve;
    });
  };
  live();
  const starts: number[] = [];
  return {
    starts,
    die: () => die({ code: null, signal: "SIGKILL" }),
    server: {
      name: "chat-ws-1",
      exited: () => exited,
      async start() {
        starts.push(performance.now());
        if (failures > 0) {
          failures -= 1;
          throw new Error("its port is taken");
        }
        live();
      },
    },
  };
}

let supervision: Supervision | undefined;
afterEach(() => {
  supervision?.end();
  vi.useRealTimers();
});

test("what dies is started again, and a line says so", async () => {
  const mortal = mortalServer();
  const lines: string[] = [];
  supervision = supervise(mortal.server, { log: (line) => lines.push(line), minDelayMs: 5 });
  mortal.die();
  await until(() => lines.length === 2, { what: "two lines" });
  expect(lines).toEqual([
    "chat-ws-1 died (SIGKILL); starting it again in 0.005 s",
    "chat-ws-1 runs again",
  ]);
});

test("the wait doubles while starting fails, up to its limit", async () => {
  const mortal = mortalServer({ startsFail: 4 });
  supervision = supervise(mortal.server, { log: () => {}, minDelayMs: 20, maxDelayMs: 80 });
  mortal.die();
  await until(() => mortal.starts.length === 5, { what: "five starts" });
  const gaps = mortal.starts.slice(1).map((at, index) => at - (mortal.starts[index] as number));
  expect(gaps[0]).toBeGreaterThanOrEqual(39);
  for (const gap of gaps.slice(1)) {
    expect(gap).toBeGreaterThanOrEqual(79);
    expect(gap).toBeLessThan(1_000);
  }
});

test("what is held stays dead until it is released", async () => {
  vi.useFakeTimers();
  const mortal = mortalServer();
  supervision = supervise(mortal.server, { log: () => {}, minDelayMs: 1 });
  supervision.hold();
  mortal.die();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(mortal.starts).toHaveLength(0);
  supervision.release();
  await vi.advanceTimersByTimeAsync(0);
  expect(mortal.starts).toHaveLength(1);
});

test("nothing is started after the end", async () => {
  vi.useFakeTimers();
  const mortal = mortalServer();
  supervision = supervise(mortal.server, { log: () => {}, minDelayMs: 20 });
  mortal.die();
  await vi.advanceTimersByTimeAsync(10);
  supervision.end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(mortal.starts).toHaveLength(0);
});

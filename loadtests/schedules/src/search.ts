import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { VirtualTime } from "./virtual-time.ts";

// Before all else: modules bind `node:timers/promises` when they are loaded.
const time = new VirtualTime();
const realNow = performance.now.bind(performance);
time.install();

const { World } = await import("./world.ts");
const { scheduleOf } = await import("./schedule.ts");
const { shrink } = await import("./shrink.ts");

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "1" },
    count: { type: "string", default: "1000" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});

const print = (line: string) => process.stdout.write(`${line}\n`);
let current = 0;
process.on("unhandledRejection", (error) => {
  print(`seed ${current}: a promise was left alone: ${(error as Error)?.stack ?? error}`);
  process.exit(2);
});

// Errors are made by the thousand, as answers, and nobody reads where.
if (values.seed === undefined) Error.stackTraceLimit = 0;
if (values.seed !== undefined) {
  current = Number(values.seed);
  const outcome = await World.run(time, scheduleOf(current), print);
  print(`${outcome.operations} operations`);
  if (outcome.violations.length > 0) {
    const shrunk = await shrink(time, scheduleOf(current));
    print(`\nshrunk from ${scheduleOf(current).steps.length} to ${shrunk.steps.length} steps:`);
    print(JSON.stringify(shrunk.setting));
    await World.run(time, shrunk, print);
    process.exitCode = 1;
  }
} else {
  const startedMs = realNow();
  const endMs = startedMs + Number(values.seconds) * 1_000;
  const from = Number(values.from);
  let found: { seed: number; kind: string; what: string } | null = null;
  let done = 0;
  let operations = 0;
  const trace = createHash("sha256");
  for (; done < Number(values.count) && realNow() < endMs && !found; done++) {
    current = from + done;
    // The watchdog of this process reads it: a loop of promises cannot be interrupted from within.
    process.send?.({ seed: current });
    const outcome = await World.run(
      time,
      scheduleOf(current),
      values.trace ? (line) => trace.update(line) : undefined,
    );
    operations += outcome.operations;
    const [violation] = outcome.violations;
    if (violation) found = { seed: current, ...violation };
  }
  const tookMs = realNow() - startedMs;
  print(
    JSON.stringify({
      ...{ from, schedules: done, operations, perSecond: Math.round((done / tookMs) * 1_000) },
      ...{ found, ...(values.trace ? { trace: trace.digest("hex") } : {}) },
    }),
  );
  if (found) process.exitCode = 1;
}
process.exit();

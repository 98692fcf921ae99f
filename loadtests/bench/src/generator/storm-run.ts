import { measureOwnShare } from "./own-cost.ts";
import type { Figures, StormSpec } from "./specs.ts";
import { closeAll, openSubscribers } from "./subscribers.ts";
import { newRunName } from "./template.ts";

/** Opens connections, cuts them all at once, and measures how long it takes until all of them are back. */
export async function runStorm(
  spec: StormSpec,
  gate: (at: "begin" | "end") => Promise<void>,
): Promise<Figures> {
  const run = newRunName();
  const options = { run, marker: "\0", onNumber() {}, atOnce: spec.atOnce };
  const opened = await openSubscribers(spec.subscribers, options);
  await gate("begin");
  const share = measureOwnShare();
  const startedAtMs = performance.now();
  closeAll(opened);
  const lastEventIds = opened.map((connection) => connection.lastEventId);
  const again = await openSubscribers(spec.subscribers, {
    ...options,
    ...(spec.resumes ? { lastEventIds } : {}),
  });
  const backMs = performance.now() - startedAtMs;
  const generatorShare = share();
  await gate("end");
  closeAll(again);
  return { backMs, connections: again.length, generatorShare };
}

import type { Figures, IdleSpec } from "./specs.ts";
import { closeAll, openSubscribers } from "./subscribers.ts";
import { newRunName } from "./template.ts";

/** Opens connections and leaves them alone. The server's memory is read before the first one and at the end. */
export async function runIdle(
  spec: IdleSpec,
  gate: (at: "begin" | "end") => Promise<void>,
): Promise<Figures> {
  await gate("begin");
  let broken = 0;
  const opened = await openSubscribers(spec.subscribers, {
    run: newRunName(),
    marker: "\0",
    onNumber() {},
    onLost: () => broken++,
  });
  await new Promise((resolve) => setTimeout(resolve, spec.settleMs));
  await gate("end");
  closeAll(opened);
  return { connections: opened.length, broken };
}

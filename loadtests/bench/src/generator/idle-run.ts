import type { Figures, IdleSpec } from "./specs.ts";
import { closeAll, openSubscribers } from "./subscribers.ts";
import { newRunName } from "./template.ts";

/**
 * Opens connections and leaves them alone. A third of them comes before what counts, so that what a server needs once,
 * for its first connections, is not divided among them.
 */
export async function runIdle(
  spec: IdleSpec,
  gate: (at: "begin" | "end") => Promise<void>,
): Promise<Figures> {
  const run = newRunName();
  let broken = 0;
  const openOf = (connections: number, firstTopic: number) =>
    openSubscribers(
      { ...spec.subscribers, connections },
      { run, firstTopic, marker: "\0", onNumber() {}, onLost: () => broken++ },
    );
  const { connections } = spec.subscribers;
  const early = Math.floor(connections / 3);
  const settle = () => new Promise((resolve) => setTimeout(resolve, spec.settleMs));
  const first = await openOf(early, 0);
  await settle();
  await gate("begin");
  const rest = await openOf(connections - early, early);
  await settle();
  await gate("end");
  closeAll([...first, ...rest]);
  return { connections: rest.length, broken };
}

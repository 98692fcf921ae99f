import type { Schedule } from "./schedule.ts";
import type { VirtualTime } from "./virtual-time.ts";
import { World } from "./world.ts";

/** Runs at most, for one schedule. */
const RUNS_AT_MOST = 400;

/**
 * The fewest steps that end in a violation of the same kind: delta debugging. Steps are decoded one by one, so that one
 * that is taken out leaves the others what they were.
 */
export async function shrink(time: VirtualTime, schedule: Schedule): Promise<Schedule> {
  let runs = 0;
  const kindOf = async (steps: readonly number[]) => {
    runs++;
    const { violations } = await World.run(time, { ...schedule, steps });
    return violations[0]?.kind;
  };
  const wanted = await kindOf(schedule.steps);
  if (wanted === undefined) return schedule;
  let { steps } = schedule;
  for (let size = steps.length >> 1; size > 0 && runs < RUNS_AT_MOST; ) {
    let isShorter = false;
    for (let at = 0; at < steps.length && runs < RUNS_AT_MOST; ) {
      const fewer = [...steps.slice(0, at), ...steps.slice(at + size)];
      if ((await kindOf(fewer)) === wanted) {
        steps = fewer;
        isShorter = true;
      } else at += size;
    }
    if (!isShorter || size > 1) size = size === 1 && isShorter ? 1 : size >> 1;
  }
  return { ...schedule, steps };
}

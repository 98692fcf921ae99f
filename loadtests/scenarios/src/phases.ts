import type { ArtilleryRunner } from "./catalogue.ts";

/** A phase of Artillery: so many arrivals, spread over so many seconds. */
export interface Phase {
  readonly name: string;
  readonly duration: number;
  readonly arrivalCount: number;
}

/** Without waves, so many visitors come in a second. */
const ARRIVALS_PER_SECOND = 25;
/** With waves, each visitor is busy for so much of the time that they take. */
const BUSY_SHARE = 0.25;

/** When the visitors come, and how long each is busy. Each phase has whole visitors, and together they are all of them. */
export function planVisits(
  { waves }: Pick<ArtilleryRunner, "waves">,
  visitors: number,
  seconds: number,
): { phases: Phase[]; busyMs: number } {
  if (!waves) {
    const duration = Math.ceil(visitors / ARRIVALS_PER_SECOND);
    const phases = [{ name: "all", duration, arrivalCount: visitors }];
    return { phases, busyMs: seconds * 1_000 };
  }
  let arrived = 0;
  let share = 0;
  const phases = waves.map((wave) => {
    share += wave.share;
    const arrivalCount = Math.round(share * visitors) - arrived;
    arrived += arrivalCount;
    const duration = Math.max(1, Math.round(seconds * wave.time));
    return { name: wave.name, duration, arrivalCount };
  });
  return {
    phases: phases.filter(({ arrivalCount }) => arrivalCount > 0),
    busyMs: seconds * BUSY_SHARE * 1_000,
  };
}

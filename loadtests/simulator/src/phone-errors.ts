import { movedBy, type Place } from "./geo.ts";
import type { Random } from "./random.ts";

/** Where the courier really is. */
export interface Truth extends Place {
  readonly heading: number;
  /** Metres a second. */
  readonly speed: number;
  readonly inTunnel: boolean;
}

/** What the phone says: the body of `POST /api/driver/{driverId}/location`. */
export interface PhoneFix extends Place {
  readonly recordedAt: string;
  readonly accuracy: number;
  readonly heading: number;
  readonly speed: number;
}

export interface Phone {
  /** Measures once. Answers what the phone sends now, oldest first: nothing, one fix, or all that it kept while it had no network. */
  measure(truth: Truth, atMs: number): PhoneFix[];
}

/** What is kept without a network; then the oldest is forgotten. */
const KEPT_FIXES = 60;

/**
 * A phone with the errors that phones make. Each fix is off by a few metres (normal in both directions, with an honest
 * `accuracy`); one in `outlierEvery` is off by hundreds of metres and claims more accuracy than it has; in tunnels and in dead
 * spots the phone is silent and afterwards sends all it kept in one burst. A tunnel shows no sky either: what is measured
 * there is worse.
 */
export function createPhone(
  random: Random,
  rates: { outlierEvery: number; deadSpotEvery: number } = { outlierEvery: 60, deadSpotEvery: 80 },
): Phone {
  const kept: PhoneFix[] = [];
  let silentFixes = 0;

  function measureOnce(truth: Truth, atMs: number): PhoneFix {
    const deviation = truth.inTunnel ? 25 : random.between(3, 7);
    const isOutlier = random.chance(1 / rates.outlierEvery);
    const direction = random.between(0, 2 * Math.PI);
    const farMeters = random.between(250, 900);
    const north = random.gaussian() * deviation;
    const east = random.gaussian() * deviation;
    const place = isOutlier
      ? movedBy(truth, Math.cos(direction) * farMeters, Math.sin(direction) * farMeters)
      : movedBy(truth, north, east);
    const turn = random.gaussian() * (truth.speed > 1 ? 4 : 60);
    return {
      lat: rounded(place.lat, 6),
      lng: rounded(place.lng, 6),
      recordedAt: new Date(atMs).toISOString(),
      accuracy: rounded(isOutlier ? 30 : deviation * random.between(1.5, 2.5), 1),
      heading: rounded((truth.heading + turn + 720) % 360, 0) % 360,
      speed: rounded(Math.max(0, truth.speed + random.gaussian() * 0.5), 1),
    };
  }

  return {
    measure(truth, atMs) {
      const fix = measureOnce(truth, atMs);
      const entersDeadSpot = random.chance(1 / rates.deadSpotEvery);
      const deadSpotFixes = random.integer(3, 8);
      if (silentFixes > 0) silentFixes -= 1;
      else if (entersDeadSpot) silentFixes = deadSpotFixes;
      kept.push(fix);
      if (kept.length > KEPT_FIXES) kept.shift();
      return truth.inTunnel || silentFixes > 0 ? [] : kept.splice(0);
    },
  };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

import { raise } from "@localstreet/contracts/raise";
import type { City, Corner } from "./city.ts";
import type { Clock } from "./clock.ts";
import type { Place } from "./geo.ts";
import { createPhone } from "./phone-errors.ts";
import type { Random } from "./random.ts";
import { type Route, whereaboutsAt } from "./route.ts";
import type { CourierPerson } from "./town.ts";
import type { Uplink } from "./uplink.ts";

export interface Courier {
  readonly driverId: string;
  /** Where the courier stands, or drives to. */
  readonly corner: Corner;
  /** Resolves at the corner, or when the simulation stops. `onNear` is called once, before, within `NEAR_METERS` of it. */
  driveTo(corner: Corner, onNear?: () => void): Promise<void>;
}

export const NEAR_METERS = 250;
/** The phone measures once in so many seconds of the town's time. */
const MEASURE_SECONDS = 5;
/** The platform takes two fixes a second of one driver, however fast the town's time runs. */
const SHORTEST_INTERVAL_MS = 600;
/** Steps in which a drive is reckoned, in seconds: short enough to slow down where a street does. */
const STEP_SECONDS = 1;
const PARKED: Route = { points: [], lengthMeters: 0 };

interface Drive {
  readonly route: Route;
  readonly onNear: (() => void) | undefined;
  readonly arrived: () => void;
}

/** A courier at work: the phone reports from the first moment on, moving or not. */
export function startCourier(
  person: CourierPerson,
  world: { city: City; clock: Clock; random: Random; uplink: Uplink },
): Courier {
  const { clock } = world;
  const random = world.random.fork(person.driverId);
  const phone = createPhone(random.fork("phone"));
  // Some are quicker than others.
  const pace = random.between(0.85, 1.15);
  const intervalMs = Math.max(SHORTEST_INTERVAL_MS, (MEASURE_SECONDS * 1_000) / clock.speed);
  let corner = person.startsAt;
  let place: Place = corner;
  let drive: Drive | undefined;
  let drivenMeters = 0;
  let near = false;

  function measure(heading: number, speed: number, inTunnel: boolean): void {
    const { lat, lng } = place;
    world.uplink.push(phone.measure({ lat, lng, heading, speed, inTunnel }, Date.now()));
  }

  function moveOn(seconds: number): void {
    if (!drive) {
      measure(0, 0, false);
      return;
    }
    const { route } = drive;
    let here = whereaboutsAt(route, drivenMeters);
    let speed = 0;
    for (let left = seconds; left > 0 && drivenMeters < route.lengthMeters; left -= STEP_SECONDS) {
      speed = (here.street?.speed ?? 5) * pace * random.between(0.7, 1.05);
      drivenMeters += speed * Math.min(left, STEP_SECONDS);
      here = whereaboutsAt(route, drivenMeters);
    }
    place = here;
    const hasArrived = drivenMeters >= route.lengthMeters;
    measure(here.heading, hasArrived ? 0 : speed, here.street?.tunnel ?? false);
    if (!near && route.lengthMeters - drivenMeters < NEAR_METERS) {
      near = true;
      drive.onNear?.();
    }
    if (!hasArrived) return;
    const { arrived } = drive;
    drive = undefined;
    arrived();
  }

  async function work(): Promise<void> {
    // Couriers do not report in step.
    await clock.waitMs(random.between(0, Math.min(intervalMs, 2_000)));
    while (!clock.stopped.aborted) {
      moveOn((intervalMs / 1_000) * clock.speed);
      await clock.waitMs(intervalMs);
    }
    drive?.arrived();
  }
  work().catch(raise);

  return {
    driverId: person.driverId,
    get corner() {
      return corner;
    },
    driveTo(destination, onNear) {
      const route = destination === corner ? PARKED : world.city.route(corner, destination);
      corner = destination;
      drivenMeters = 0;
      near = false;
      return new Promise((resolve) => {
        if (route === PARKED || clock.stopped.aborted) {
          onNear?.();
          resolve();
        } else {
          drive = { route, onNear, arrived: resolve };
        }
      });
    },
  };
}

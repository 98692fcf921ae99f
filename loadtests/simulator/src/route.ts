import { distanceMeters, headingDegrees, type Place } from "./geo.ts";
import type { Street } from "./streets.ts";

export interface RoutePoint extends Place {
  /** From the start of the route. */
  readonly atMeters: number;
  /** The street from here to the next point; the last point has that of the piece before. */
  readonly street: Street | null;
}

export interface Route {
  readonly points: readonly RoutePoint[];
  readonly lengthMeters: number;
}

export interface Whereabouts extends Place {
  readonly street: Street | null;
  readonly heading: number;
}

/** A way along `places`, with the distance to each of them. */
export function layRoute(
  places: readonly Place[],
  streetBetween: (from: Place, to: Place) => Street | null,
): Route {
  const points: RoutePoint[] = [];
  let atMeters = 0;
  for (const [index, place] of places.entries()) {
    const before = places[index - 1];
    const after = places[index + 1];
    const stepMeters = before ? distanceMeters(before, place) : 0;
    // The path finder names a point twice where two of its pieces meet.
    if (before && stepMeters === 0) continue;
    atMeters += stepMeters;
    const street = after ? streetBetween(place, after) : (points.at(-1)?.street ?? null);
    points.push({ lat: place.lat, lng: place.lng, atMeters, street });
  }
  return { points, lengthMeters: atMeters };
}

/** Where one is after `meters` of the route. Past its end is its end. */
export function whereaboutsAt(route: Route, meters: number): Whereabouts {
  const found = route.points.findIndex((point) => point.atMeters > meters);
  const next = found < 0 ? route.points.length - 1 : found;
  const to = route.points[next];
  const from = route.points[next - 1] ?? to;
  if (!from || !to) throw new RangeError("a route without points");
  const length = to.atMeters - from.atMeters;
  const share = length > 0 ? Math.min(1, (meters - from.atMeters) / length) : 0;
  return {
    lat: from.lat + (to.lat - from.lat) * share,
    lng: from.lng + (to.lng - from.lng) * share,
    street: from.street,
    heading: headingDegrees(from, to),
  };
}

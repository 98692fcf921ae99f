import type { Position } from "geojson";
import { distanceMeters, type Place } from "./geo.ts";
import { PathFinder } from "./path-finder.ts";
import { reachableBothWays } from "./reachable.ts";
import { layRoute, type Route } from "./route.ts";
import { loadStreets, type Street } from "./streets.ts";

/** Where streets with different names meet. Every corner can be driven to from every other one. */
export interface Corner extends Place {
  /** In alphabetical order. */
  readonly streetNames: readonly [string, string, ...string[]];
}

export interface City {
  readonly streets: readonly Street[];
  /** From the middle of the city outwards. */
  readonly corners: readonly Corner[];
  /** The quickest way by car. */
  route(from: Corner, to: Corner): Route;
}

/** Kungsportsplatsen, where the old town and the avenue meet. */
export const CITY_MIDDLE: Place = { lat: 57.70455, lng: 11.96955 };

/** OpenStreetMap's crossings share a point exactly; the rounding (a tenth of a metre) is for the arithmetic. */
const ROUNDING_DEGREES = 1e-6;

/** Reads the streets and makes the network that routes are found on. Takes about half a second. */
export function openCity(): City {
  const streets = loadStreets();
  const byPiece = new Map<string, Street>();
  for (const street of streets) {
    for (const [from, to] of piecesOf(street)) byPiece.set(pieceKey(from, to), street);
  }
  const finder = new PathFinder(
    {
      type: "FeatureCollection",
      features: streets.map((street) => ({
        type: "Feature",
        properties: street,
        geometry: { type: "LineString", coordinates: [...street.coordinates] },
      })),
    },
    { tolerance: ROUNDING_DEGREES, key: pointKey, weight: secondsAlong },
  );
  const corners = findCorners(streets, finder.graph.compactedVertices);

  return {
    streets,
    corners,
    route(from, to) {
      const path = finder.findPath(pointOf(from), pointOf(to))?.path;
      if (!path) throw new Error("no way between two corners of the network");
      return layRoute(
        path.map(placeOf),
        (a, b) => byPiece.get(pieceKey(positionOf(a), positionOf(b))) ?? null,
      );
    },
  };
}

/** Seconds that a piece of street takes; zero is a direction that may not be driven. */
function secondsAlong(a: Position, b: Position, street: Street) {
  const seconds = distanceMeters(placeOf(a), placeOf(b)) / street.speed;
  return {
    forward: street.oneway === "backward" ? 0 : seconds,
    backward: street.oneway === "forward" ? 0 : seconds,
  };
}

function findCorners(
  streets: readonly Street[],
  network: Record<string, Record<string, number>>,
): Corner[] {
  const namesAt = new Map<string, { place: Place; names: Set<string> }>();
  for (const { name, coordinates, tunnel } of streets) {
    if (name === undefined || tunnel) continue;
    for (const position of coordinates) {
      const key = pointKey(position);
      const found = namesAt.get(key) ?? { place: placeOf(position), names: new Set() };
      namesAt.set(key, found);
      found.names.add(name);
    }
  }
  const crossings = [...namesAt]
    .filter(([key, { names }]) => names.size > 1 && network[key] !== undefined)
    .sort(([, a], [, b]) => fromMiddle(a.place) - fromMiddle(b.place));
  const reachable = reachableBothWays(network, crossings[0]?.[0] ?? "");
  return crossings
    .filter(([key]) => reachable.has(key))
    .map(([, { place, names }]) => ({
      ...place,
      streetNames: [...names].sort() as [string, string, ...string[]],
    }));
}

function fromMiddle(place: Place): number {
  return distanceMeters(CITY_MIDDLE, place);
}

function piecesOf({ coordinates, oneway }: Street): [Position, Position][] {
  const pieces: [Position, Position][] = [];
  for (const [index, to] of coordinates.entries()) {
    const from = coordinates[index - 1];
    if (!from) continue;
    if (oneway !== "backward") pieces.push([from, to]);
    if (oneway !== "forward") pieces.push([to, from]);
  }
  return pieces;
}

function pointKey([lng = 0, lat = 0]: Position): string {
  return `${Math.round(lng / ROUNDING_DEGREES)},${Math.round(lat / ROUNDING_DEGREES)}`;
}

function pieceKey(from: Position, to: Position): string {
  return `${pointKey(from)};${pointKey(to)}`;
}

function placeOf([lng = 0, lat = 0]: Position): Place {
  return { lat, lng };
}

function positionOf({ lat, lng }: Place): Position {
  return [lng, lat];
}

function pointOf(place: Place) {
  const geometry = { type: "Point" as const, coordinates: positionOf(place) };
  return { type: "Feature" as const, properties: {}, geometry };
}

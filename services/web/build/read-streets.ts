import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createProjection, type PlanePoint, type Projection } from "../src/map/projection.ts";
import type { Street, StreetKind, StreetMap } from "../src/map/street.ts";
import { joinLines } from "./join-lines.ts";
import { simplifyLine } from "./simplify-line.ts";

/** What OpenStreetMap's `highway` says, by how it is drawn. What is not listed (platforms, building sites) is left out. */
const KIND_OF_HIGHWAY: Readonly<Record<string, StreetKind>> = {
  motorway: "motorway",
  motorway_link: "motorway",
  trunk: "motorway",
  trunk_link: "motorway",
  primary: "main",
  primary_link: "main",
  secondary: "main",
  secondary_link: "main",
  tertiary: "secondary",
  tertiary_link: "secondary",
  residential: "residential",
  unclassified: "residential",
  living_street: "residential",
  road: "residential",
  pedestrian: "residential",
  service: "service",
  track: "path",
  footway: "path",
  path: "path",
  cycleway: "path",
  bridleway: "path",
  steps: "path",
};

const TOLERANCE_METERS = 1.5;

interface Way {
  properties: { highway?: string; name?: string };
  geometry: { type: string; coordinates: unknown };
}

/** The file of OpenStreetMap ways (ODbL) that the package `geojson-path-finder` ships for its tests: Gothenburg. */
export function findWaysFile(): string {
  // Resolved like this because the file is no entry point of its package.
  const packageFile = import.meta.resolve("geojson-path-finder/package.json");
  return fileURLToPath(new URL("test/large-network.json", packageFile));
}

/** The streets of a GeoJSON file of ways, joined and simplified, around the middle of what it covers. */
export function readStreets(file: string): StreetMap {
  const { features } = JSON.parse(readFileSync(file, "utf8")) as { features: Way[] };
  const ways = features.flatMap((way) => {
    const kind = KIND_OF_HIGHWAY[way.properties.highway ?? ""];
    if (!kind || way.geometry.type !== "LineString") return [];
    const coordinates = way.geometry.coordinates as [lng: number, lat: number][];
    return coordinates.length < 2 ? [] : [{ kind, name: way.properties.name ?? null, coordinates }];
  });
  const projection = projectionAround(ways.flatMap(({ coordinates }) => coordinates));

  const alike = new Map<string, { kind: StreetKind; name: string | null; lines: PlanePoint[][] }>();
  for (const { kind, name, coordinates } of ways) {
    const key = `${kind} ${name ?? ""}`;
    const group = alike.get(key) ?? { kind, name, lines: [] };
    group.lines.push(coordinates.map(([lng, lat]) => projection.toPlane({ lat, lng })));
    alike.set(key, group);
  }
  const streets = [...alike.values()].flatMap(({ kind, name, lines }) =>
    joinLines(lines).map((line): Street => ({ kind, name, points: pack(line) })),
  );
  return { origin: projection.origin, streets: streets.sort(byPlace) };
}

function projectionAround(coordinates: readonly [lng: number, lat: number][]): Projection {
  let [west, south, east, north] = [180, 90, -180, -90];
  for (const [lng, lat] of coordinates) {
    west = Math.min(west, lng);
    east = Math.max(east, lng);
    south = Math.min(south, lat);
    north = Math.max(north, lat);
  }
  return createProjection({ lat: (south + north) / 2, lng: (west + east) / 2 });
}

function pack(line: readonly PlanePoint[]): Float32Array {
  return Float32Array.from(simplifyLine(line, TOLERANCE_METERS).flatMap(({ x, y }) => [x, y]));
}

/** In strips of 500 m from north to south, so that a street starts near the one before it and costs few bytes. */
function byPlace(a: Street, b: Street): number {
  const strip = ({ points }: Street) => Math.floor((points[1] ?? 0) / 500);
  return strip(a) - strip(b) || (a.points[0] ?? 0) - (b.points[0] ?? 0);
}

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Feature, FeatureCollection, Geometry, LineString, Position } from "geojson";

/** A stretch of street as OpenStreetMap has it; `coordinates` are longitude and latitude, in driving order. */
export interface Street {
  readonly name: string | undefined;
  readonly coordinates: readonly Position[];
  /** Metres a second at which a courier gets along. */
  readonly speed: number;
  readonly oneway: "no" | "forward" | "backward";
  readonly tunnel: boolean;
}

/** The middle of Gothenburg: longitude and latitude of two corners. */
const CENTRE = { west: 11.925, south: 57.683, east: 12.015, north: 57.722 };

/** Classes of street that a courier's car may use, with metres a second in city traffic. */
const SPEEDS: Readonly<Record<string, number>> = {
  motorway: 18,
  motorway_link: 12,
  trunk: 15,
  trunk_link: 11,
  primary: 11,
  primary_link: 9,
  secondary: 10,
  secondary_link: 9,
  tertiary: 9,
  tertiary_link: 8,
  unclassified: 8,
  residential: 7,
  living_street: 4,
};

type Tags = Record<string, string | undefined>;

/**
 * The drivable streets in the middle of Gothenburg. © OpenStreetMap contributors, ODbL: the package
 * geojson-path-finder carries them as its test data.
 */
export function loadStreets(): Street[] {
  // Resolved like this because the file is no entry point of its package.
  const packageFile = createRequire(import.meta.url).resolve("geojson-path-finder/package.json");
  const file = new URL("test/large-network.json", `file://${packageFile}`);
  const network = JSON.parse(readFileSync(file, "utf8")) as FeatureCollection<Geometry, Tags>;
  return network.features.filter(isLine).flatMap((feature) => readStreet(feature) ?? []);
}

function readStreet(feature: Feature<LineString, Tags>): Street | null {
  const tags = feature.properties;
  const speed = SPEEDS[tags.highway ?? ""];
  if (speed === undefined || isClosedToCars(tags)) return null;
  if (!feature.geometry.coordinates.some(isCentral)) return null;
  return {
    name: tags.name,
    coordinates: feature.geometry.coordinates,
    speed,
    oneway: onewayOf(tags),
    tunnel: tags.tunnel === "yes",
  };
}

function isLine(feature: Feature<Geometry, Tags>): feature is Feature<LineString, Tags> {
  return feature.geometry.type === "LineString";
}

function isClosedToCars(tags: Tags): boolean {
  const closed = (value: string | undefined) => value === "no" || value === "private";
  return closed(tags.motorcar ?? tags.motor_vehicle ?? tags.vehicle ?? tags.access);
}

function isCentral([lng = 0, lat = 0]: Position): boolean {
  return lng > CENTRE.west && lng < CENTRE.east && lat > CENTRE.south && lat < CENTRE.north;
}

function onewayOf(tags: Tags): Street["oneway"] {
  if (tags.oneway === "yes") return "forward";
  if (tags.oneway === "-1") return "backward";
  if (tags.oneway === "no") return "no";
  return tags.junction === "roundabout" || tags.highway === "motorway" ? "forward" : "no";
}

import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { joinLines } from "../build/join-lines.ts";
import { findWaysFile, readStreets } from "../build/read-streets.ts";
import { simplifyLine } from "../build/simplify-line.ts";
import { createProjection } from "../src/map/projection.ts";
import { STREET_KINDS, type StreetMap } from "../src/map/street.ts";
import { decodeStreets, encodeStreets, METERS_PER_UNIT } from "../src/map/street-file.ts";

describe("the file of streets", () => {
  const small: StreetMap = {
    origin: { lat: 57.7, lng: 11.97 },
    streets: [
      { kind: "path", name: null, points: Float32Array.of(0, 0, -12.3, 400.25) },
      {
        kind: "motorway",
        name: "Götaleden",
        points: Float32Array.of(-7_000, 6_000, 7_000, -6_000),
      },
      {
        kind: "residential",
        name: "Övre Husargatan 🚲",
        points: Float32Array.of(1, 2, 3, 4, 5, 6),
      },
      { kind: "residential", name: "Götaleden", points: Float32Array.of(10, 10, 10, 10) },
    ],
  };

  test("comes back with its names and kinds, and its points to a quarter of a metre", () => {
    const { origin, streets } = decodeStreets(encodeStreets(small));
    expect(origin).toEqual(small.origin);
    expect(streets.map(({ kind }) => kind)).toEqual([
      "motorway",
      "residential",
      "residential",
      "path",
    ]);
    for (const street of small.streets) {
      const back = streets.find(({ kind, name }) => kind === street.kind && name === street.name);
      expect(back?.points).toHaveLength(street.points.length);
      for (const [i, value] of street.points.entries()) {
        expect(Math.abs(back!.points[i]! - value)).toBeLessThanOrEqual(METERS_PER_UNIT / 2 + 1e-6);
      }
    }
  });

  test("is refused when it is another file or cut off", () => {
    const bytes = encodeStreets(small);
    expect(() =>
      decodeStreets(new TextEncoder().encode("<!doctype html><title>404</title>")),
    ).toThrow(RangeError);
    for (const length of [0, 3, 20, bytes.length - 1]) {
      expect(() => decodeStreets(bytes.subarray(0, length)), `${length} bytes`).toThrow(RangeError);
    }
  });

  test("of Gothenburg is complete and small", () => {
    const map = readStreets(findWaysFile());
    const bytes = encodeStreets(map);
    expect(bytes.length).toBeLessThan(400_000);
    expect(gzipSync(bytes).length).toBeLessThan(250_000);
    const back = decodeStreets(bytes);
    expect(back.streets).toHaveLength(map.streets.length);
    expect(new Set(back.streets.map(({ kind }) => kind))).toEqual(new Set(STREET_KINDS));
    const [west, south] = [11.859572, 57.6481787];
    const corner = createProjection(back.origin).toPlane({ lat: south, lng: west });
    const farthest = { x: 0, y: 0 };
    for (const { points } of back.streets) {
      for (let i = 0; i < points.length; i += 2) {
        farthest.x = Math.max(farthest.x, Math.abs(points[i]!));
        farthest.y = Math.max(farthest.y, Math.abs(points[i + 1]!));
      }
    }
    expect(farthest.x).toBeLessThan(Math.abs(corner.x) + 1);
    expect(farthest.y).toBeLessThan(Math.abs(corner.y) + 1);
    // A street that everybody there knows, where it is: Avenyn.
    const avenue = back.streets.filter(({ name }) => name === "Kungsportsavenyn");
    const at = createProjection(back.origin).toPlane({ lat: 57.69995, lng: 11.97745 });
    const meters = avenue.flatMap(({ points }) =>
      Array.from({ length: points.length / 2 }, (_, i) =>
        Math.hypot(points[2 * i]! - at.x, points[2 * i + 1]! - at.y),
      ),
    );
    expect(Math.min(...meters)).toBeLessThan(150);
  });
});

test("a line loses the points that do not matter and keeps its ends", () => {
  const line = [
    { x: 0, y: 0 },
    { x: 50, y: 0.4 },
    { x: 100, y: 0 },
    { x: 150, y: 30 },
    { x: 200, y: 0 },
  ];
  expect(simplifyLine(line, 1)).toEqual([line[0], line[2], line[3], line[4]]);
  const ring = [
    { x: 0, y: 0 },
    { x: 20, y: 0 },
    { x: 20, y: 20 },
    { x: 0, y: 0 },
  ];
  expect(simplifyLine(ring, 1)).toEqual(ring);
});

test("lines that meet end to end become one, whichever way they run, and go straight on at a crossing", () => {
  const at = (...points: [number, number][]) => points.map(([x, y]) => ({ x, y }));
  const joined = joinLines([
    at([0, 0], [10, 0]),
    at([10, 0], [10, 10]),
    at([20, 0], [10, 0]),
    at([-5, 0], [0, 0]),
  ]);
  expect(joined).toHaveLength(2);
  expect(joined[0]).toEqual(at([-5, 0], [0, 0], [10, 0], [20, 0]));
  expect(joined[1]).toEqual(at([10, 0], [10, 10]));
});

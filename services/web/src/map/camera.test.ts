import { expect, test } from "vitest";
import { type Camera, fit, isInView, panBy, toScreen, zoomBy } from "./camera.ts";

const size = { width: 800, height: 600 };
const camera: Camera = { x: 100, y: -50, metersPerPixel: 4 };

test("zooming leaves what is under the pointer where it is", () => {
  const place = { x: 420, y: 310 };
  const at = toScreen(camera, size, place);
  for (const factor of [0.5, 1.3, 4]) {
    const after = toScreen(zoomBy(camera, size, factor, at), size, place);
    expect(after.x).toBeCloseTo(at.x, 6);
    expect(after.y).toBeCloseTo(at.y, 6);
  }
});

test("zooming ends at the closest and the farthest scale", () => {
  expect(zoomBy(camera, size, 1e9, { x: 0, y: 0 }).metersPerPixel).toBe(0.25);
  expect(zoomBy(camera, size, 1e-9, { x: 0, y: 0 }).metersPerPixel).toBe(40);
});

test("panning moves the picture with the pointer", () => {
  const before = toScreen(camera, size, { x: 0, y: 0 });
  const after = toScreen(panBy(camera, 30, -12), size, { x: 0, y: 0 });
  expect([after.x - before.x, after.y - before.y]).toEqual([30, -12]);
});

test("all points fit inside the padding, and two equal points are not magnified without end", () => {
  const padding = { top: 20, right: 40, bottom: 160, left: 40 };
  const points = [
    { x: -900, y: 40 },
    { x: 700, y: 800 },
    { x: 0, y: -300 },
  ];
  const fitted = fit(points, size, padding, 1.5);
  expect(fitted).not.toBeNull();
  const roomy = { top: 19.9, right: 39.9, bottom: 159.9, left: 39.9 };
  for (const point of points) expect(isInView(fitted!, size, roomy, point)).toBe(true);
  expect(fit([points[0]!, points[0]!], size, padding, 1.5)?.metersPerPixel).toBe(1.5);
  expect(fit([], size, padding, 1.5)).toBeNull();
});

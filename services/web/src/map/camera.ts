import type { PlanePoint } from "./projection.ts";

/** Which part of the plane is seen: the point in the middle of the view, and the scale. */
export interface Camera {
  readonly x: number;
  readonly y: number;
  readonly metersPerPixel: number;
}

/** CSS pixels. */
export interface ViewSize {
  readonly width: number;
  readonly height: number;
}

export const CLOSEST_METERS_PER_PIXEL = 0.25;
export const FARTHEST_METERS_PER_PIXEL = 40;

export function toScreen(camera: Camera, size: ViewSize, point: PlanePoint): PlanePoint {
  return {
    x: (point.x - camera.x) / camera.metersPerPixel + size.width / 2,
    y: (point.y - camera.y) / camera.metersPerPixel + size.height / 2,
  };
}

export function panBy(camera: Camera, dxPixels: number, dyPixels: number): Camera {
  return {
    ...camera,
    x: camera.x - dxPixels * camera.metersPerPixel,
    y: camera.y - dyPixels * camera.metersPerPixel,
  };
}

/** `factor` above 1 comes closer. What is under `at` (pixels of the view) stays there. */
export function zoomBy(camera: Camera, size: ViewSize, factor: number, at: PlanePoint): Camera {
  const metersPerPixel = clamp(
    camera.metersPerPixel / factor,
    CLOSEST_METERS_PER_PIXEL,
    FARTHEST_METERS_PER_PIXEL,
  );
  const change = camera.metersPerPixel - metersPerPixel;
  return {
    x: camera.x + (at.x - size.width / 2) * change,
    y: camera.y + (at.y - size.height / 2) * change,
    metersPerPixel,
  };
}

/** Pixels of the view that something else covers, on each side. */
export interface Padding {
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly left: number;
}

/** All points in view inside the padding, yet never closer than `closest` metres a pixel. */
export function fit(
  points: readonly PlanePoint[],
  size: ViewSize,
  padding: Padding,
  closest: number,
): Camera | null {
  if (points.length === 0 || size.width === 0 || size.height === 0) return null;
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [west, east, north, south] = [
    Math.min(...xs),
    Math.max(...xs),
    Math.min(...ys),
    Math.max(...ys),
  ];
  const metersPerPixel = clamp(
    Math.max(
      (east - west) / Math.max(1, size.width - padding.left - padding.right),
      (south - north) / Math.max(1, size.height - padding.top - padding.bottom),
    ),
    closest,
    FARTHEST_METERS_PER_PIXEL,
  );
  return {
    x: (west + east) / 2 + ((padding.right - padding.left) / 2) * metersPerPixel,
    y: (north + south) / 2 + ((padding.bottom - padding.top) / 2) * metersPerPixel,
    metersPerPixel,
  };
}

/** Whether a point is inside the padding. */
export function isInView(
  camera: Camera,
  size: ViewSize,
  padding: Padding,
  point: PlanePoint,
): boolean {
  const { x, y } = toScreen(camera, size, point);
  return (
    x >= padding.left &&
    x <= size.width - padding.right &&
    y >= padding.top &&
    y <= size.height - padding.bottom
  );
}

/** Between two views, `t` from 0 to 1; the scale changes by equal ratios. */
export function blend(from: Camera, to: Camera, t: number): Camera {
  const eased = t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
  return {
    x: from.x + (to.x - from.x) * eased,
    y: from.y + (to.y - from.y) * eased,
    metersPerPixel: from.metersPerPixel * (to.metersPerPixel / from.metersPerPixel) ** eased,
  };
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

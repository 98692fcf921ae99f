import type { Camera, ViewSize } from "./camera.ts";
import type { MapColors } from "./map-colors.ts";
import type { StreetKind } from "./street.ts";
import { type Area, type IndexedStreet, overlaps, type StreetIndex } from "./street-index.ts";

/** How one kind of street is drawn. `fromMetersPerPixel`: not at all when the map is smaller than that. */
interface Pen {
  readonly kind: StreetKind;
  readonly color: keyof MapColors;
  readonly widthMeters: number;
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly fromMetersPerPixel: number;
  /** A darker edge, from this scale on; 0 for none. */
  readonly casingFromMetersPerPixel: number;
}

/** From the bottom to the top. */
const PENS: readonly Pen[] = [
  {
    kind: "path",
    color: "path",
    widthMeters: 1.6,
    minPixels: 0.7,
    maxPixels: 3,
    fromMetersPerPixel: 3.2,
    casingFromMetersPerPixel: 0,
  },
  {
    kind: "service",
    color: "service",
    widthMeters: 4,
    minPixels: 0.7,
    maxPixels: 12,
    fromMetersPerPixel: 6,
    casingFromMetersPerPixel: 1.6,
  },
  {
    kind: "residential",
    color: "street",
    widthMeters: 8,
    minPixels: 0.8,
    maxPixels: 22,
    fromMetersPerPixel: 16,
    casingFromMetersPerPixel: 4.5,
  },
  {
    kind: "secondary",
    color: "street",
    widthMeters: 10,
    minPixels: 1.3,
    maxPixels: 26,
    fromMetersPerPixel: 30,
    casingFromMetersPerPixel: 6,
  },
  {
    kind: "main",
    color: "main",
    widthMeters: 12,
    minPixels: 1.6,
    maxPixels: 28,
    fromMetersPerPixel: 99,
    casingFromMetersPerPixel: 9,
  },
  {
    kind: "motorway",
    color: "motorway",
    widthMeters: 13,
    minPixels: 1.9,
    maxPixels: 28,
    fromMetersPerPixel: 99,
    casingFromMetersPerPixel: 12,
  },
];

/** The streets in view, on a context whose unit is the CSS pixel. All edges first, so that crossings run together. */
export function drawStreets(
  context: CanvasRenderingContext2D,
  index: StreetIndex,
  camera: Camera,
  size: ViewSize,
  colors: MapColors,
): void {
  const { metersPerPixel } = camera;
  context.fillStyle = colors.land;
  context.fillRect(0, 0, size.width, size.height);
  context.lineJoin = "round";
  context.lineCap = "round";
  const drawn = PENS.filter((pen) => metersPerPixel <= pen.fromMetersPerPixel).map((pen) => ({
    ...pen,
    pixels: Math.min(pen.maxPixels, Math.max(pen.minPixels, pen.widthMeters / metersPerPixel)),
    path: tracePath(index[pen.kind], camera, size),
  }));
  context.strokeStyle = colors.casing;
  for (const { path, pixels, casingFromMetersPerPixel } of drawn) {
    if (metersPerPixel > casingFromMetersPerPixel) continue;
    context.lineWidth = pixels + 1.6;
    context.stroke(path);
  }
  for (const { path, pixels, color } of drawn) {
    context.strokeStyle = colors[color];
    context.lineWidth = pixels;
    context.stroke(path);
  }
}

/** The part of the plane in view, with a margin for the width of the lines. */
export function areaInView(camera: Camera, size: ViewSize, marginPixels = 20): Area {
  const halfWidth = (size.width / 2 + marginPixels) * camera.metersPerPixel;
  const halfHeight = (size.height / 2 + marginPixels) * camera.metersPerPixel;
  return {
    west: camera.x - halfWidth,
    east: camera.x + halfWidth,
    north: camera.y - halfHeight,
    south: camera.y + halfHeight,
  };
}

function tracePath(streets: readonly IndexedStreet[], camera: Camera, size: ViewSize): Path2D {
  const path = new Path2D();
  const view = areaInView(camera, size);
  const scale = 1 / camera.metersPerPixel;
  const left = size.width / 2 - camera.x * scale;
  const top = size.height / 2 - camera.y * scale;
  for (const street of streets) {
    if (!overlaps(street, view)) continue;
    const { points } = street;
    let lastX = 0;
    let lastY = 0;
    for (let i = 0; i < points.length; i += 2) {
      const x = (points[i] ?? 0) * scale + left;
      const y = (points[i + 1] ?? 0) * scale + top;
      if (i === 0) {
        path.moveTo(x, y);
      } else if (i + 2 < points.length && Math.abs(x - lastX) + Math.abs(y - lastY) < 1.5) {
        // Nobody sees a step of a pixel, and far out most steps are shorter.
        continue;
      } else {
        path.lineTo(x, y);
      }
      lastX = x;
      lastY = y;
    }
  }
  return path;
}

import { type Camera, toScreen, type ViewSize } from "./camera.ts";
import { areaInView } from "./draw-streets.ts";
import type { MapColors } from "./map-colors.ts";
import type { PlanePoint } from "./projection.ts";
import type { StreetKind } from "./street.ts";
import { type IndexedStreet, overlaps, type StreetIndex } from "./street-index.ts";

/** Which names are written, the most important first, and up to which scale. */
const LETTERING: readonly { kind: StreetKind; pixels: number; fromMetersPerPixel: number }[] = [
  { kind: "main", pixels: 11.5, fromMetersPerPixel: 7 },
  { kind: "secondary", pixels: 11, fromMetersPerPixel: 4.5 },
  { kind: "residential", pixels: 10.5, fromMetersPerPixel: 2.6 },
];

const FONT_FAMILY = '"Figtree Variable", system-ui, sans-serif';
/** The same name is written again after this many pixels. */
const REPEAT_PIXELS = 360;
/** How far a street may stray from its name before it is written elsewhere, in pixels. */
const MAX_BEND_PIXELS = 4;

interface Label {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly angle: number;
  readonly width: number;
  readonly height: number;
}

/** Street names along the streets, each where its street is straight enough, none over another. */
export function drawLabels(
  context: CanvasRenderingContext2D,
  index: StreetIndex,
  camera: Camera,
  size: ViewSize,
  colors: MapColors,
): void {
  const placed: Label[] = [];
  const view = areaInView(camera, size, 0);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3.5;
  context.strokeStyle = colors.land;
  context.fillStyle = colors.text;
  for (const { kind, pixels, fromMetersPerPixel } of LETTERING) {
    if (camera.metersPerPixel > fromMetersPerPixel) continue;
    context.font = `500 ${pixels}px ${FONT_FAMILY}`;
    for (const street of index[kind]) {
      if (street.name === null || !overlaps(street, view)) continue;
      const width = context.measureText(street.name).width;
      const label = placeLabel(street, street.name, { width, height: pixels }, camera, size);
      if (!label || placed.some((other) => disturb(label, other))) continue;
      placed.push(label);
      context.save();
      context.translate(label.x, label.y);
      context.rotate(label.angle);
      context.strokeText(label.name, 0, 0.5);
      context.fillText(label.name, 0, 0.5);
      context.restore();
    }
  }
}

/** The first stretch of the street in view that is long and straight enough for the name, from its middle outwards. */
function placeLabel(
  street: IndexedStreet,
  name: string,
  { width, height }: { width: number; height: number },
  camera: Camera,
  size: ViewSize,
): Label | null {
  const line: PlanePoint[] = [];
  for (let i = 0; i < street.points.length; i += 2) {
    const point = { x: street.points[i] ?? 0, y: street.points[i + 1] ?? 0 };
    line.push(toScreen(camera, size, point));
  }
  const lengths = lengthsAlong(line);
  const length = lengths.at(-1) ?? 0;
  const needed = width + 16;
  if (length < needed) return null;
  const room = length - needed;
  const steps = Math.min(24, Math.max(1, Math.floor(room / 40)));
  for (let step = 0; step <= steps; step++) {
    // 0.5, then alternately before and behind it.
    const offset = (Math.ceil(step / 2) / steps) * (step % 2 ? -1 : 1);
    const start = room * (0.5 + offset * 0.98 * 0.5);
    const from = pointAlong(line, lengths, start);
    const to = pointAlong(line, lengths, start + needed);
    const x = (from.x + to.x) / 2;
    const y = (from.y + to.y) / 2;
    const margin = width / 2;
    if (x < margin || y < margin || x > size.width - margin || y > size.height - margin) continue;
    if (bend(line, lengths, start, start + needed, from, to) > MAX_BEND_PIXELS) continue;
    let angle = Math.atan2(to.y - from.y, to.x - from.x);
    if (Math.abs(angle) > Math.PI / 2) angle += angle > 0 ? -Math.PI : Math.PI;
    return { name, x, y, angle, width, height };
  }
  return null;
}

function lengthsAlong(line: readonly PlanePoint[]): number[] {
  let length = 0;
  return line.map((point, i) => {
    const before = line[i - 1];
    if (before) length += Math.hypot(point.x - before.x, point.y - before.y);
    return length;
  });
}

function pointAlong(
  line: readonly PlanePoint[],
  lengths: readonly number[],
  at: number,
): PlanePoint {
  const behind = Math.max(
    1,
    lengths.findIndex((length) => length >= at),
  );
  const a = line[behind - 1] ?? { x: 0, y: 0 };
  const b = line[behind] ?? a;
  const start = lengths[behind - 1] ?? 0;
  const stretch = (lengths[behind] ?? start) - start;
  const t = stretch === 0 ? 0 : (at - start) / stretch;
  return { x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t };
}

/** The farthest that the line between two lengths strays from the chord. */
function bend(
  line: readonly PlanePoint[],
  lengths: readonly number[],
  start: number,
  end: number,
  from: PlanePoint,
  to: PlanePoint,
): number {
  const chord = Math.hypot(to.x - from.x, to.y - from.y);
  // Back to where it began: no direction to write in.
  if (chord < (end - start) * 0.9) return Infinity;
  let farthest = 0;
  for (const [i, { x, y }] of line.entries()) {
    const length = lengths[i] ?? 0;
    if (length <= start || length >= end) continue;
    const across = (to.x - from.x) * (y - from.y) - (to.y - from.y) * (x - from.x);
    farthest = Math.max(farthest, Math.abs(across) / chord);
  }
  return farthest;
}

function disturb(a: Label, b: Label): boolean {
  const dx = Math.abs(a.x - b.x);
  const dy = Math.abs(a.y - b.y);
  if (a.name === b.name && Math.hypot(dx, dy) < REPEAT_PIXELS) return true;
  return dx < extent(a, "x") + extent(b, "x") && dy < extent(a, "y") + extent(b, "y");
}

/** Half of the width or height of the box around a turned label. */
function extent({ angle, width, height }: Label, axis: "x" | "y"): number {
  const [cos, sin] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
  return axis === "x" ? (width * cos + height * sin) / 2 + 2 : (width * sin + height * cos) / 2 + 2;
}

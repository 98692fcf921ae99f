import type { PlanePoint } from "../src/map/projection.ts";

/** The line without the points that stray less than `toleranceMeters` from it (Douglas and Peucker). Ends stay. */
export function simplifyLine(line: readonly PlanePoint[], toleranceMeters: number): PlanePoint[] {
  const keep = new Uint8Array(line.length);
  keep[0] = 1;
  keep[line.length - 1] = 1;
  const stretches: [number, number][] = [[0, line.length - 1]];
  for (let stretch = stretches.pop(); stretch; stretch = stretches.pop()) {
    const [from, to] = stretch;
    let farthest = 0;
    let farthestMeters = toleranceMeters;
    for (let i = from + 1; i < to; i++) {
      const meters = distanceToSegment(line, i, from, to);
      if (meters > farthestMeters) {
        farthest = i;
        farthestMeters = meters;
      }
    }
    if (farthest === 0) continue;
    keep[farthest] = 1;
    stretches.push([from, farthest], [farthest, to]);
  }
  return line.filter((_, index) => keep[index] === 1);
}

function distanceToSegment(
  line: readonly PlanePoint[],
  index: number,
  from: number,
  to: number,
): number {
  const p = line[index] as PlanePoint;
  const a = line[from] as PlanePoint;
  const b = line[to] as PlanePoint;
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const lengthSquared = dx * dx + dy * dy;
  // A closed way begins and ends in one point: there the distance is to that point.
  const along = lengthSquared === 0 ? 0 : ((p.x - a.x) * dx + (p.y - a.y) * dy) / lengthSquared;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

import { STREET_KINDS, type Street, type StreetKind } from "./street.ts";

export interface IndexedStreet {
  readonly name: string | null;
  readonly points: Float32Array;
  readonly west: number;
  readonly east: number;
  readonly north: number;
  readonly south: number;
}

/** Metres of the plane. */
export interface Area {
  readonly west: number;
  readonly east: number;
  readonly north: number;
  readonly south: number;
}

export type StreetIndex = Readonly<Record<StreetKind, readonly IndexedStreet[]>>;

/** Streets by kind, each with the box around it. A scan over some thousand boxes takes less than a millisecond. */
export function indexStreets(streets: readonly Street[]): StreetIndex {
  const index = Object.fromEntries(
    STREET_KINDS.map((kind): [StreetKind, IndexedStreet[]] => [kind, []]),
  ) as Record<StreetKind, IndexedStreet[]>;
  for (const { kind, name, points } of streets) {
    let [west, east, north, south] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < points.length; i += 2) {
      const x = points[i] ?? 0;
      const y = points[i + 1] ?? 0;
      west = Math.min(west, x);
      east = Math.max(east, x);
      north = Math.min(north, y);
      south = Math.max(south, y);
    }
    index[kind].push({ name, points, west, east, north, south });
  }
  return index;
}

export function overlaps(a: Area, b: Area): boolean {
  return a.west <= b.east && a.east >= b.west && a.north <= b.south && a.south >= b.north;
}

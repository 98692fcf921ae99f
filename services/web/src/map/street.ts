import type { Place } from "./projection.ts";

/** From the widest to the narrowest. The file holds them in this order, and they are drawn in the reverse one. */
export const STREET_KINDS = [
  "motorway",
  "main",
  "secondary",
  "residential",
  "service",
  "path",
] as const;
export type StreetKind = (typeof STREET_KINDS)[number];

export interface Street {
  readonly kind: StreetKind;
  readonly name: string | null;
  /** x0, y0, x1, y1 … in metres of the plane around the map's origin. Two points at least. */
  readonly points: Float32Array;
}

export interface StreetMap {
  readonly origin: Place;
  readonly streets: readonly Street[];
}

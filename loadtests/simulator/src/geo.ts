/** WGS-84 degrees. */
export interface Place {
  readonly lat: number;
  readonly lng: number;
}

const METERS_PER_DEGREE = 111_195;

/** Metres from `a` to `b`, on a plane: right to a few centimetres within a city. */
export function distanceMeters(a: Place, b: Place): number {
  const { north, east } = offsetMeters(a, b);
  return Math.hypot(north, east);
}

/** Degrees clockwise from north, 0 up to 360, in which `b` lies from `a`. */
export function headingDegrees(a: Place, b: Place): number {
  const { north, east } = offsetMeters(a, b);
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}

export function movedBy(place: Place, northMeters: number, eastMeters: number): Place {
  return {
    lat: place.lat + northMeters / METERS_PER_DEGREE,
    lng: place.lng + eastMeters / (METERS_PER_DEGREE * cosine(place.lat)),
  };
}

function offsetMeters(a: Place, b: Place): { north: number; east: number } {
  return {
    north: (b.lat - a.lat) * METERS_PER_DEGREE,
    east: (b.lng - a.lng) * METERS_PER_DEGREE * cosine((a.lat + b.lat) / 2),
  };
}

function cosine(degrees: number): number {
  return Math.cos((degrees * Math.PI) / 180);
}

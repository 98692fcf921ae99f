/** WGS-84 degrees. */
export interface Place {
  readonly lat: number;
  readonly lng: number;
}

/** Metres east (`x`) and south (`y`) of an origin: y grows downwards, as on a canvas. */
export interface PlanePoint {
  readonly x: number;
  readonly y: number;
}

export interface Projection {
  readonly origin: Place;
  toPlane(place: Place): PlanePoint;
  toPlace(point: PlanePoint): Place;
}

const METERS_PER_DEGREE = (Math.PI * 6_371_008.8) / 180;

/** An equirectangular projection around `origin`. Over a city of 20 km its error stays below 0.2 %. */
export function createProjection(origin: Place): Projection {
  const metersPerDegreeEast = METERS_PER_DEGREE * Math.cos((origin.lat * Math.PI) / 180);
  return {
    origin,
    toPlane: ({ lat, lng }) => ({
      x: (lng - origin.lng) * metersPerDegreeEast,
      y: (origin.lat - lat) * METERS_PER_DEGREE,
    }),
    toPlace: ({ x, y }) => ({
      lat: origin.lat - y / METERS_PER_DEGREE,
      lng: origin.lng + x / metersPerDegreeEast,
    }),
  };
}

/** Colours of the map, as the style sheet says them for light and for dark. */
export interface MapColors {
  readonly land: string;
  readonly casing: string;
  readonly motorway: string;
  readonly main: string;
  readonly street: string;
  readonly service: string;
  readonly path: string;
  readonly text: string;
  readonly courier: string;
  readonly courierStale: string;
  readonly pin: string;
  readonly pinText: string;
}

export function readMapColors(element: Element): MapColors {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(`--map-${name}`).trim();
  return {
    land: color("land"),
    casing: color("casing"),
    motorway: color("motorway"),
    main: color("main"),
    street: color("street"),
    service: color("service"),
    path: color("path"),
    text: color("text"),
    courier: color("courier"),
    courierStale: color("courier-stale"),
    pin: color("pin"),
    pinText: color("pin-text"),
  };
}

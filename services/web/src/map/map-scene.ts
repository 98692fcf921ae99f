import type { DriverState } from "@localstreet/contracts/tracking";
import type { Place } from "./projection.ts";

/** What the map shows, in degrees. */
export interface MapScene {
  /** Names the delivery: another one is another view. */
  readonly key: string | null;
  /** Newest last. `id` tells fixes apart. */
  readonly fixes: readonly (Place & {
    readonly id: string;
    readonly accuracyMeters: number | null;
  })[];
  readonly state: DriverState;
  readonly shop: { readonly place: Place; readonly name: string } | null;
  /** The courier is on the way to the shop: it belongs into the view. */
  readonly shopAhead: boolean;
  readonly destination: Place | null;
}

export const EMPTY_SCENE: MapScene = {
  key: null,
  fixes: [],
  state: "lost",
  shop: null,
  shopAhead: false,
  destination: null,
};

/** The courier and what lies ahead of it: what has to be in view. */
export function placesAhead({ fixes, destination, shop, shopAhead }: MapScene): Place[] {
  const courier = fixes.at(-1);
  const ahead = shopAhead || !courier ? shop?.place : null;
  return [courier, destination, ahead].flatMap((place) => place ?? []);
}

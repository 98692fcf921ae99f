import { CITY_MIDDLE, type City, type Corner } from "./city.ts";
import { distanceMeters } from "./geo.ts";
import type { Random } from "./random.ts";
import { BUYER_NAMES, COURIER_NAMES, type Menu, SHOPS } from "./shops.ts";

export interface Vendor {
  readonly vendorId: string;
  readonly name: string;
  /** The streets that cross at its door. */
  readonly street: string;
  readonly corner: Corner;
  readonly staffId: string;
  readonly menu: Menu;
}

export interface Buyer {
  readonly buyerId: string;
  readonly name: string;
  readonly home: Corner;
  /** The shops nearest to home, in no order. */
  readonly shops: readonly [Vendor, ...Vendor[]];
}

export interface CourierPerson {
  readonly driverId: string;
  readonly startsAt: Corner;
}

export interface Town {
  readonly vendors: readonly [Vendor, ...Vendor[]];
  readonly buyers: readonly [Buyer, ...Buyer[]];
  readonly couriers: readonly CourierPerson[];
}

const SHOPS_WITHIN_METERS = 1_100;
const HOMES_WITHIN_METERS = 1_700;
/** So that two shops can be told apart on a map. */
const SHOP_DISTANCE_METERS = 130;
const SHOPS_NEAR_HOME = 4;

/** Gives every shop, home and courier a corner of the city. The same seed settles the same town. */
export function settleTown(
  city: City,
  random: Random,
  counts: { vendors: number; couriers: number },
): Town {
  const vendors = shopCorners(city, random.fork("shops"), counts.vendors).map(
    (corner, index): Vendor => {
      const shop = SHOPS[index % SHOPS.length] as (typeof SHOPS)[number];
      const name = branchName(shop.name, Math.floor(index / SHOPS.length));
      const vendorId = idOf(name);
      const street = corner.streetNames.slice(0, 2).join(" / ");
      return { vendorId, name, street, corner, staffId: `staff-${vendorId}`, menu: shop.menu };
    },
  );
  const homes = random.fork("homes").shuffle(cornersWithin(city, HOMES_WITHIN_METERS));
  const buyers = BUYER_NAMES.map((name, index): Buyer => {
    const home = cornerAt(homes, index);
    const nearest = vendors.toSorted(
      (a, b) => distanceMeters(home, a.corner) - distanceMeters(home, b.corner),
    );
    return {
      buyerId: `buyer-${idOf(name)}`,
      name,
      home,
      shops: nearest.slice(0, SHOPS_NEAR_HOME) as [Vendor, ...Vendor[]],
    };
  });
  // Couriers wait for their first order where it will be: outside a shop.
  const stands = random.fork("stands").shuffle(vendors.map((vendor) => vendor.corner));
  const couriers = Array.from({ length: counts.couriers }, (_, index) => {
    const name = COURIER_NAMES[index % COURIER_NAMES.length] as string;
    const driverId = `courier-${idOf(branchName(name, Math.floor(index / COURIER_NAMES.length)))}`;
    return { driverId, startsAt: cornerAt(stands, index) };
  });
  return {
    vendors: vendors as [Vendor, ...Vendor[]],
    buyers: buyers as [Buyer, ...Buyer[]],
    couriers,
  };
}

function shopCorners(city: City, random: Random, count: number): Corner[] {
  const candidates = random.shuffle(cornersWithin(city, SHOPS_WITHIN_METERS));
  const chosen: Corner[] = [];
  for (const corner of candidates) {
    if (chosen.length === count) break;
    const isApart = chosen.every((other) => distanceMeters(corner, other) > SHOP_DISTANCE_METERS);
    if (isApart) chosen.push(corner);
  }
  // A town with more shops than room has some next door to each other.
  for (let index = 0; chosen.length < count; index++) chosen.push(cornerAt(candidates, index));
  return chosen;
}

function cornersWithin(city: City, meters: number): Corner[] {
  return city.corners.filter((corner) => distanceMeters(CITY_MIDDLE, corner) <= meters);
}

function cornerAt(corners: readonly Corner[], index: number): Corner {
  const corner = corners[index % corners.length];
  if (!corner) throw new RangeError("a city without corners");
  return corner;
}

function branchName(name: string, branch: number): string {
  return branch === 0 ? name : `${name} ${branch + 1}`;
}

/** `Kanel & Kardemumma` as `kanel-kardemumma`. */
function idOf(name: string): string {
  const ascii = name.normalize("NFD").replace(/\p{Mark}/gu, "");
  return ascii.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}

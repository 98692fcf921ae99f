import { raise } from "@localstreet/contracts/raise";
import type { DeliveryStatus } from "@localstreet/contracts/tracking";
import type { Api } from "./api.ts";
import type { Clock } from "./clock.ts";
import type { Counts } from "./counts.ts";
import type { Courier } from "./courier.ts";
import { distanceMeters, type Place } from "./geo.ts";
import type { Kitchen } from "./kitchen.ts";
import type { Random } from "./random.ts";
import type { Identity } from "./tokens.ts";
import type { Buyer, Vendor } from "./town.ts";

/** As the directory lists it. */
export interface DeliveryEntry {
  readonly deliveryId: string;
  readonly orderId: string;
  readonly vendorId: string;
  readonly buyerId: string;
  readonly driverId: string;
  readonly status: DeliveryStatus;
  readonly destination: Place;
}

export interface Deliveries {
  /** Those under way and those that ended a little while ago, oldest first. */
  readonly entries: readonly DeliveryEntry[];
  /** Sends the nearest free courier, who waits at the shop until the order is packed. @returns whether there was one. */
  start(order: { orderId: string; vendor: Vendor; buyer: Buyer; packed: Promise<void> }): boolean;
}

export const BACKEND: Identity = { sub: "simulator", role: "service" };

/** How long an ended delivery stays listed, in milliseconds. */
const LISTED_AFTER_END_MS = 30_000;

/** Deliveries from the courier's first metre to the door, each state told to the platform before the next begins. */
export function openDeliveries(world: {
  api: Api;
  clock: Clock;
  counts: Counts;
  random: Random;
  couriers: readonly Courier[];
  kitchen: Kitchen;
  onChange(): void;
}): Deliveries {
  const { api, clock, counts } = world;
  const random = world.random.fork("deliveries");
  const free = new Set(world.couriers);
  const entries = new Map<string, DeliveryEntry>();

  /** @returns whether the delivery goes on. */
  async function tell(entry: DeliveryEntry, status: DeliveryStatus): Promise<boolean> {
    const { deliveryId, ...body } = { ...entry, status };
    const path = `/api/deliveries/${deliveryId}`;
    const answer = await api.send({ method: "PUT", path, as: BACKEND, body });
    if (answer !== "done") return false;
    entries.set(deliveryId, { ...entry, status });
    world.onChange();
    return true;
  }

  async function run(
    entry: DeliveryEntry,
    courier: Courier,
    order: { vendor: Vendor; buyer: Buyer; packed: Promise<void> },
  ) {
    const { vendor, buyer, packed } = order;
    if (!(await tell(entry, "assigned"))) return;
    await courier.driveTo(vendor.corner);
    await packed;
    await clock.pass(random.between(5, 12));
    if (!(await tell(entry, "picked_up"))) return;
    world.kitchen.tell(entry, "picked_up").catch(raise);
    let arriving: Promise<boolean> | undefined;
    await courier.driveTo(buyer.home, () => {
      arriving = tell(entry, "arriving");
    });
    await clock.pass(random.between(8, 20));
    if (!(await arriving)) return;
    if (!(await tell(entry, "delivered"))) return;
    counts.deliveries += 1;
    await world.kitchen.tell(entry, "delivered");
  }

  return {
    get entries() {
      return [...entries.values()];
    },
    start({ orderId, vendor, buyer, packed }) {
      const courier = nearestTo(vendor.corner, free);
      if (!courier) return false;
      free.delete(courier);
      const { lat, lng } = buyer.home;
      const entry: DeliveryEntry = {
        deliveryId: orderId.replace(/^o-/, "d-"),
        orderId,
        vendorId: vendor.vendorId,
        buyerId: buyer.buyerId,
        driverId: courier.driverId,
        status: "assigned",
        destination: { lat, lng },
      };
      run(entry, courier, { vendor, buyer, packed })
        .then(async () => {
          free.add(courier);
          await clock.waitMs(LISTED_AFTER_END_MS);
          entries.delete(entry.deliveryId);
          world.onChange();
        })
        .catch(raise);
      return true;
    },
  };
}

function nearestTo(place: Place, couriers: Iterable<Courier>): Courier | undefined {
  return [...couriers].sort(
    (a, b) => distanceMeters(place, a.corner) - distanceMeters(place, b.corner),
  )[0];
}

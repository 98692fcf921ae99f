import { postActivitySchema } from "@localstreet/contracts/dashboard";
import { ID_PATTERN } from "@localstreet/contracts/ids";
import { orderSchema } from "@localstreet/contracts/order";
import { fixSchema } from "@localstreet/contracts/tracking";
import { beforeAll, expect, test } from "vitest";
import { type City, openCity } from "../src/city.ts";
import { distanceMeters, movedBy } from "../src/geo.ts";
import { createOrder } from "../src/orders.ts";
import { createActivity } from "../src/passers-by.ts";
import { createPhone } from "../src/phone-errors.ts";
import { createRandom } from "../src/random.ts";
import { whereaboutsAt } from "../src/route.ts";
import { settleTown } from "../src/town.ts";

let city: City;
beforeAll(() => {
  city = openCity();
});

const COUNTS = { vendors: 12, couriers: 8 };

test("the city is real: streets that everybody in Gothenburg knows cross each other", () => {
  const names = city.corners.map((corner) => corner.streetNames.join(" / "));
  expect(names).toContain("Kungsportsavenyen / Vasagatan");
  expect(city.corners.length).toBeGreaterThan(1_000);
});

test("a route follows streets, in their driving direction, from door to door", () => {
  const random = createRandom(2);
  const pieces = new Set<string>();
  const piece = (a: { lat: number; lng: number }, b: { lat: number; lng: number }) =>
    [a.lng, a.lat, b.lng, b.lat].map((degrees) => degrees.toFixed(6)).join();
  for (const { coordinates, oneway } of city.streets) {
    const places = coordinates.map(([lng = 0, lat = 0]) => ({ lat, lng }));
    for (const [index, to] of places.entries()) {
      const from = places[index - 1];
      if (!from) continue;
      if (oneway !== "backward") pieces.add(piece(from, to));
      if (oneway !== "forward") pieces.add(piece(to, from));
    }
  }
  for (let n = 0; n < 60; n++) {
    const [from, to] = random.shuffle(city.corners);
    if (!from || !to) throw new Error("unreachable");
    const { points, lengthMeters } = city.route(from, to);
    expect(points[0]).toMatchObject({ lat: from.lat, lng: from.lng });
    expect(points.at(-1)).toMatchObject({ lat: to.lat, lng: to.lng });
    expect(lengthMeters).toBeGreaterThanOrEqual(distanceMeters(from, to) - 0.1);
    for (const [index, point] of points.entries()) {
      const before = points[index - 1];
      if (!before) continue;
      expect(point.atMeters - before.atMeters).toBeCloseTo(distanceMeters(before, point), 3);
      expect(pieces.has(piece(before, point)), `${JSON.stringify([before, point])}`).toBe(true);
    }
  }
});

test("every corner can be driven to and from", () => {
  const [middle] = city.corners;
  if (!middle) throw new Error("unreachable");
  for (const corner of createRandom(3).shuffle(city.corners).slice(0, 120)) {
    if (corner === middle) continue;
    expect(city.route(middle, corner).lengthMeters).toBeGreaterThan(0);
    expect(city.route(corner, middle).lengthMeters).toBeGreaterThan(0);
  }
});

test("half the way is half the metres, and past the end is the end", () => {
  const [from, , , to] = city.corners;
  if (!from || !to) throw new Error("unreachable");
  const route = city.route(from, to);
  expect(distanceMeters(whereaboutsAt(route, 0), from)).toBe(0);
  expect(distanceMeters(whereaboutsAt(route, route.lengthMeters + 50), to)).toBeLessThan(0.01);
  for (let meters = 1; meters < route.lengthMeters; meters += 1) {
    const step = distanceMeters(whereaboutsAt(route, meters - 1), whereaboutsAt(route, meters));
    expect(step).toBeLessThanOrEqual(1.01);
  }
});

test("the same seed settles the same town, another seed another one", () => {
  const settle = (seed: number) => settleTown(city, createRandom(seed), COUNTS);
  expect(settle(1)).toEqual(settle(1));
  expect(settle(1)).not.toEqual(settle(2));
});

test("shops stand at street corners of their own, apart from each other, with ids that the platform takes", () => {
  const { vendors, buyers, couriers } = settleTown(city, createRandom(1), COUNTS);
  expect([vendors.length, buyers.length, couriers.length]).toEqual([12, 30, 8]);
  for (const vendor of vendors) {
    expect(city.corners).toContain(vendor.corner);
    for (const other of vendors) {
      if (other === vendor) continue;
      expect(distanceMeters(vendor.corner, other.corner)).toBeGreaterThan(100);
    }
  }
  const ids = [
    ...vendors.flatMap((vendor) => [vendor.vendorId, vendor.staffId]),
    ...buyers.map((buyer) => buyer.buyerId),
    ...couriers.map((courier) => courier.driverId),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(ID_PATTERN);
});

test("the largest town that can be asked for still has ids of its own for everybody", () => {
  const { vendors, couriers } = settleTown(city, createRandom(1), { vendors: 60, couriers: 100 });
  expect(new Set(vendors.map((vendor) => vendor.vendorId)).size).toBe(60);
  expect(new Set(couriers.map((courier) => courier.driverId)).size).toBe(100);
});

test("orders and fixes are what the contracts say, and repeat with the seed", () => {
  const { buyers } = settleTown(city, createRandom(1), COUNTS);
  const order = (seed: number) => {
    const random = createRandom(seed);
    const buyer = random.pick(buyers);
    return createOrder(random, "o-1", buyer, random.pick(buyer.shops));
  };
  for (let seed = 0; seed < 200; seed++) {
    const body = orderSchema.parse(order(seed));
    expect(body).toEqual(order(seed));
    const sum = body.items.reduce((total, item) => total + item.quantity * item.unitPrice, 0);
    expect(body.total).toBe(sum);
  }
  const phone = createPhone(createRandom(1));
  const here = movedBy({ lat: 57.7, lng: 11.97 }, 10, 10);
  for (let n = 0; n < 500; n++) {
    const truth = { ...here, heading: (n * 7) % 360, speed: n % 20, inTunnel: false };
    for (const fix of phone.measure(truth, Date.now())) fixSchema.parse(fix);
  }
});

test("what passers-by do is what the contracts say, of every kind", () => {
  const random = createRandom(4);
  const { vendors } = settleTown(city, createRandom(1), COUNTS);
  const kinds = new Set<string>();
  for (let n = 0; n < 300; n++) {
    kinds.add(postActivitySchema.parse(createActivity(random, vendors[0])).kind);
  }
  expect([...kinds].sort()).toEqual(["cart", "review", "visit"]);
});

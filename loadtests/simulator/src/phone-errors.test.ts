import { expect, test } from "vitest";
import { distanceMeters } from "./geo.ts";
import { createPhone, type Truth } from "./phone-errors.ts";
import { createRandom } from "./random.ts";

const TRUTH: Truth = { lat: 57.7, lng: 11.97, heading: 90, speed: 8, inTunnel: false };
const START = Date.UTC(2026, 0, 1);
const never = { outlierEvery: Number.POSITIVE_INFINITY, deadSpotEvery: Number.POSITIVE_INFINITY };

function errorsMeters(rates: typeof never, count: number): number[] {
  const phone = createPhone(createRandom(7), rates);
  return Array.from({ length: count }, () => phone.measure(TRUTH, START)).flatMap((fixes) =>
    fixes.map((fix) => distanceMeters(TRUTH, fix)),
  );
}

test("most fixes are off by a few metres, evenly in all directions", () => {
  const phone = createPhone(createRandom(3), never);
  const fixes = Array.from({ length: 2_000 }, () => phone.measure(TRUTH, START)).flat();
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const errors = fixes.map((fix) => distanceMeters(TRUTH, fix));
  expect(mean(errors)).toBeGreaterThan(3);
  expect(mean(errors)).toBeLessThan(10);
  expect(Math.max(...errors)).toBeLessThan(40);
  const middle = { lat: mean(fixes.map((fix) => fix.lat)), lng: mean(fixes.map((fix) => fix.lng)) };
  expect(distanceMeters(TRUTH, middle)).toBeLessThan(1);
  expect(fixes.filter((fix) => distanceMeters(TRUTH, fix) < fix.accuracy).length).toBeGreaterThan(
    1_200,
  );
});

test("an outlier now and then is off by hundreds of metres", () => {
  const errors = errorsMeters({ ...never, outlierEvery: 60 }, 6_000);
  const far = errors.filter((meters) => meters > 200);
  expect(far.length).toBeGreaterThan(60);
  expect(far.length).toBeLessThan(140);
  expect(Math.max(...far)).toBeLessThan(900);
});

test("a tunnel is silence, then a burst of all that was measured in it, oldest first", () => {
  const phone = createPhone(createRandom(5), never);
  expect(phone.measure(TRUTH, START).length).toBe(1);
  for (let second = 5; second <= 30; second += 5) {
    expect(phone.measure({ ...TRUTH, inTunnel: true }, START + second * 1_000)).toEqual([]);
  }
  const burst = phone.measure(TRUTH, START + 35_000);
  expect(burst.map((fix) => Date.parse(fix.recordedAt) - START)).toEqual(
    [5, 10, 15, 20, 25, 30, 35].map((seconds) => seconds * 1_000),
  );
});

test("a dead spot lasts a few fixes and loses none", () => {
  const phone = createPhone(createRandom(11), { ...never, deadSpotEvery: 80 });
  const sizes = Array.from({ length: 4_000 }, (_, n) => phone.measure(TRUTH, START + n).length);
  const bursts = sizes.filter((size) => size > 1);
  expect(bursts.length).toBeGreaterThan(20);
  expect(Math.max(...bursts)).toBeLessThanOrEqual(10);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(3_990);
});

test("what is kept has a bound", () => {
  const phone = createPhone(createRandom(1), never);
  for (let n = 0; n < 500; n++) phone.measure({ ...TRUTH, inTunnel: true }, START + n);
  expect(phone.measure(TRUTH, START).length).toBe(60);
});

test("the same seed makes the same errors", () => {
  expect(errorsMeters({ outlierEvery: 60, deadSpotEvery: 80 }, 300)).toEqual(
    errorsMeters({ outlierEvery: 60, deadSpotEvery: 80 }, 300),
  );
});

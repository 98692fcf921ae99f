import type { PersonId } from "@localstreet/contracts/ids";
import { expect, test } from "vitest";
import type { Delivery, Directory } from "./directory.ts";
import { advanceSelection, chooseDelivery, NOTHING_SELECTED, type Selection } from "./selection.ts";

type Listed = NonNullable<Delivery["listed"]>;
const id = <T>(text: string) => text as T;

function delivery(deliveryId: string, vendorId: string, status: Listed["status"]): Delivery {
  const listed: Listed = {
    deliveryId: id(deliveryId),
    orderId: id(`order-of-${deliveryId}`),
    vendorId: id(vendorId),
    buyerId: id("buyer-1"),
    driverId: id(`driver-of-${deliveryId}`),
    status,
    destination: { lat: 57.7, lng: 11.97 },
  };
  return { deliveryId: listed.deliveryId, listed };
}

function directory(...deliveries: Delivery[]): Directory {
  const shared = { token: "t", ownToken: false };
  return {
    city: "Gothenburg",
    unreadable: 0,
    vendors: ["vendor-1", "vendor-2"].map((vendorId) => ({
      ...shared,
      vendorId: id(vendorId),
      name: vendorId,
      street: null,
      place: null,
    })),
    buyers: ["buyer-0", "buyer-1", "buyer-2"].map((buyerId) => ({
      ...shared,
      buyerId: id(buyerId),
      name: buyerId,
    })),
    deliveries,
  };
}

const calm = { follow: true, chattingBuyerId: null, drafting: false, now: 100_000 };

test("the first vendor stands in until one is busy, and the busiest one stays", () => {
  const quiet = advanceSelection(NOTHING_SELECTED, { ...calm, directory: directory() });
  expect(quiet).toMatchObject({ vendorId: "vendor-1", vendorSettled: false, deliveryId: null });
  const busy = directory(
    delivery("d1", "vendor-1", "picked_up"),
    delivery("d2", "vendor-2", "assigned"),
    delivery("d3", "vendor-2", "delivered"),
  );
  const settled = advanceSelection(quiet, { ...calm, directory: busy });
  expect(settled).toMatchObject({ vendorId: "vendor-2", vendorSettled: true, deliveryId: "d2" });
  const later = directory(delivery("d1", "vendor-1", "picked_up"));
  expect(advanceSelection(settled, { ...calm, directory: later }).vendorId).toBe("vendor-2");
});

test("without a choice: the busiest vendor, a delivery of its own that moves, and its buyer", () => {
  const town = directory(
    delivery("d1", "vendor-1", "assigned"),
    delivery("d2", "vendor-1", "picked_up"),
    delivery("d3", "vendor-2", "picked_up"),
    delivery("d4", "vendor-1", "delivered"),
  );
  expect(advanceSelection(NOTHING_SELECTED, { ...calm, directory: town })).toMatchObject({
    vendorId: "vendor-1",
    buyerId: "buyer-1",
    deliveryId: "d2",
  });
});

test("another vendor's delivery is shown when the vendor has none under way", () => {
  const town = directory(
    delivery("d1", "vendor-1", "delivered"),
    delivery("d2", "vendor-2", "assigned"),
  );
  expect(chooseDelivery(town, id("vendor-1"))).toBe("d2");
  expect(chooseDelivery(directory(), id("vendor-1"))).toBeNull();
});

test("a delivery that ends stays for a moment and gives way to the next, when the page follows", () => {
  const before = advanceSelection(NOTHING_SELECTED, {
    ...calm,
    directory: directory(delivery("d1", "vendor-1", "arriving")),
  });
  const town = directory(
    delivery("d1", "vendor-1", "delivered"),
    delivery("d2", "vendor-1", "picked_up"),
  );
  const ended = advanceSelection(before, { ...calm, directory: town, now: 101_000 });
  expect(ended.deliveryId).toBe("d1");
  expect(advanceSelection(ended, { ...calm, directory: town, now: 105_999 }).deliveryId).toBe("d1");
  expect(advanceSelection(ended, { ...calm, directory: town, now: 106_000 }).deliveryId).toBe("d2");
  const still = advanceSelection(ended, { ...calm, follow: false, directory: town, now: 200_000 });
  expect(still.deliveryId).toBe("d1");
});

test("the buyer follows the newest conversation, though not at once and not while somebody writes", () => {
  const town = directory();
  const start: Selection = {
    ...NOTHING_SELECTED,
    vendorId: id("vendor-1"),
    vendorSettled: true,
    buyerId: id("buyer-1"),
    buyerSince: 100_000,
  };
  const at = (now: number, more: object = {}) =>
    advanceSelection(start, {
      ...calm,
      directory: town,
      chattingBuyerId: id("buyer-2"),
      now,
      ...more,
    }).buyerId;
  expect(at(119_999)).toBe("buyer-1");
  expect(at(120_000)).toBe("buyer-2");
  expect(at(120_000, { drafting: true })).toBe("buyer-1");
  expect(at(120_000, { follow: false })).toBe("buyer-1");
  expect(at(120_000, { chattingBuyerId: id("a stranger") })).toBe("buyer-1");
});

test("no buyer is chosen while it is not known who writes", () => {
  const unknown = { ...calm, directory: directory(), chattingBuyerId: undefined };
  expect(advanceSelection(NOTHING_SELECTED, unknown).buyerId).toBeNull();
  const known = { ...unknown, chattingBuyerId: id<PersonId>("buyer-2") };
  expect(advanceSelection(NOTHING_SELECTED, known).buyerId).toBe("buyer-2");
  expect(advanceSelection(NOTHING_SELECTED, { ...unknown, chattingBuyerId: null }).buyerId).toBe(
    "buyer-0",
  );
});

test("nothing changes when nothing has to", () => {
  const town = directory(delivery("d1", "vendor-1", "picked_up"));
  const selection = advanceSelection(NOTHING_SELECTED, { ...calm, directory: town });
  expect(advanceSelection(selection, { ...calm, directory: town, now: 500_000 })).toBe(selection);
});

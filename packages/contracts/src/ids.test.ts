import { describe, expect, test } from "vitest";
import { type deliveryIdSchema, personIdSchema, vendorIdSchema } from "./ids.ts";
import { positionKey, watchedKey } from "./keys.ts";
import {
  deliveryKey,
  liveChatSubject,
  liveTrackingSubject,
  liveVendorOrdersSubject,
  partyKey,
  vendorOrdersSubject,
} from "./subjects.ts";
import { vendorEventKindOf, vendorEventMessageId } from "./vendor-events.ts";

const hostile = [
  "*",
  ">",
  "a.b",
  "",
  "a".repeat(65),
  "a".repeat(5_000),
  "\0",
  "é",
  ":",
  "a\r\nb",
  " a",
  "{a}",
];

describe("G1: ids", () => {
  test("G1: a valid id is taken as it is", () => {
    for (const value of ["a", "A-z_9", "h_x", "a".repeat(64)]) {
      expect(vendorIdSchema.parse(value)).toBe(value);
    }
  });

  test.each(hostile)("G1: %j is no id, for the schema and for every builder", (value) => {
    expect(vendorIdSchema.safeParse(value).success).toBe(false);
    // A caller without types has no brand to stop it.
    const vendorId = value as ReturnType<typeof vendorIdSchema.parse>;
    const personId = value as ReturnType<typeof personIdSchema.parse>;
    const deliveryId = value as ReturnType<typeof deliveryIdSchema.parse>;
    for (const build of [
      () => vendorOrdersSubject(vendorId),
      () => liveVendorOrdersSubject(vendorId),
      () => liveChatSubject({ kind: "vendor", vendorId }),
      () => partyKey({ kind: "buyer", buyerId: personId }),
      () => liveTrackingSubject(personId),
      () => deliveryKey(deliveryId),
      () => positionKey(personId),
      () => watchedKey(personId),
      () => vendorEventMessageId(vendorId, "new-order", vendorId as never),
    ]) {
      expect(build).toThrow(TypeError);
    }
  });

  test("G1: subjects and keys are built from the id", () => {
    const vendorId = vendorIdSchema.parse("bakery");
    const driverId = personIdSchema.parse("dan");
    expect(liveVendorOrdersSubject(vendorId)).toBe("live.vendor.bakery.orders");
    expect(liveChatSubject({ kind: "vendor", vendorId })).toBe("live.chat.vendor.bakery");
    expect(positionKey(driverId)).toBe("track:{dan}:position");
    expect(watchedKey(driverId)).toBe("track:{dan}:watched");
  });
});

test("the kind of an event is read from its message id alone", () => {
  const messageId = vendorEventMessageId(
    vendorIdSchema.parse("bakery"),
    "new-order",
    "o1" as ReturnType<typeof vendorIdSchema.parse> as never,
  );
  expect(messageId).toBe("bakery:new-order:o1");
  expect(vendorEventKindOf(messageId)).toBe("new-order");
  for (const foreign of ["", "a", "a:b", "a:new order:b", "a:x\ndata: y:b", "a::b"]) {
    expect(vendorEventKindOf(foreign)).toBeNull();
  }
});

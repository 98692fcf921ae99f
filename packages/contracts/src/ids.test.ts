import { describe, expect, test } from "vitest";
import { type deliveryIdSchema, orderIdSchema, personIdSchema, vendorIdSchema } from "./ids.ts";
import { positionKey, watchedKey } from "./keys.ts";
import {
  activitySubject,
  deliveryKey,
  liveActivitySubject,
  liveChatSubject,
  liveTrackingSubject,
  liveVendorOrdersSubject,
  opsEscalatedSubject,
  partyKey,
  revocationKey,
  vendorOrdersSubject,
} from "./subjects.ts";
import { type VendorEvent, vendorEventKindOf, vendorEventMessageId } from "./vendor-events.ts";

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

const at = "2026-01-01T12:00:00.000Z";
const about = { orderId: orderIdSchema.parse("o1"), vendorId: vendorIdSchema.parse("bakery"), at };
const escalated = {
  vendorId: about.vendorId,
  kind: "order-escalated",
  data: { ...about, reason: "unanswered", placedAt: at },
} as const;

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
      () => activitySubject(vendorId),
      () => liveActivitySubject(vendorId),
      () => opsEscalatedSubject(vendorId),
      () => revocationKey(personId),
      () => vendorEventMessageId({ ...escalated, vendorId }),
      () =>
        vendorEventMessageId({
          ...escalated,
          data: { ...escalated.data, orderId: value as typeof escalated.data.orderId },
        }),
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

describe("the id of an event", () => {
  const { vendorId } = about;
  const by = personIdSchema.parse("sam");
  const idOf = (event: VendorEvent) => vendorEventMessageId(event);

  test("has the vendor, the kind and the order in it", () => {
    expect(idOf(escalated)).toBe("bakery:order-escalated:o1");
    const reminder = { ...about, reminder: 2, total: 1, currency: "SEK", placedAt: at };
    expect(idOf({ vendorId, kind: "order-reminder", data: reminder })).toBe(
      "bakery:order-reminder:o1:2",
    );
    const seen = { ...about, state: "seen", by } as const;
    expect(idOf({ vendorId, kind: "order-acknowledged", data: seen })).toBe(
      "bakery:order-acknowledged:o1:seen",
    );
  });

  test("is the status of an update, or what its publisher chose", () => {
    const data = { ...about, status: "ready" } as const;
    expect(idOf({ vendorId, kind: "order-updated", data })).toBe(
      "bakery:order-updated:o1:status:ready",
    );
    expect(idOf({ vendorId, kind: "order-updated", data, eventId: "ready" as never })).toBe(
      "bakery:order-updated:o1:id:ready",
    );
  });

  test("is the same for all that decides an order, so that the first one wins", () => {
    const ids = [
      idOf({ vendorId, kind: "order-acknowledged", data: { ...about, state: "accepted", by } }),
      idOf({ vendorId, kind: "order-acknowledged", data: { ...about, state: "rejected", by } }),
      idOf({ vendorId, kind: "order-updated", data: { ...about, status: "accepted" } }),
      idOf({ vendorId, kind: "order-expired", data: { ...about, placedAt: at } }),
    ];
    expect(new Set(ids)).toEqual(new Set(["bakery:order-outcome:o1"]));
  });

  test("names the kind where no header does, and a foreign one names none", () => {
    expect(vendorEventKindOf(undefined, "bakery:new-order:o1")).toBe("new-order");
    expect(vendorEventKindOf("order-expired", "bakery:order-outcome:o1")).toBe("order-expired");
    for (const foreign of ["", "a", "a:b", "a:new order:b", "a:x\ndata: y:b", "a::b"]) {
      expect(vendorEventKindOf(undefined, foreign)).toBeNull();
    }
    expect(vendorEventKindOf("new order", "bakery:new-order:o1")).toBeNull();
  });
});

import { describe, expect, test } from "vitest";
import { chatClientFrameSchema, chatContentSchema } from "./chat.ts";
import { exportJsonSchemas } from "./json-schema.ts";
import { newOrderSchema, orderSchema } from "./order.ts";
import { TEXT_DESCRIPTION } from "./text.ts";
import { deliveryStatusSchema, fixSchema, mayFollow } from "./tracking.ts";
import { escalationSchema, storedEventSchemas, vendorEventSchemas } from "./vendor-events.ts";

const order = {
  orderId: "o1",
  buyerId: "ana",
  items: [{ name: "Kanelbulle", quantity: 2, unitPrice: 3_500 }],
  total: 7_000,
  currency: "SEK",
};

describe("G2: shapes", () => {
  test("G2: money is an integer with its currency, times are UTC with milliseconds", () => {
    expect(orderSchema.safeParse(order).success).toBe(true);
    expect(orderSchema.safeParse({ ...order, total: 70.5 }).success).toBe(false);
    expect(orderSchema.safeParse({ ...order, currency: "kr" }).success).toBe(false);
    const placed = { ...order, vendorId: "bakery" };
    for (const [placedAt, right] of [
      ["2026-11-24T10:00:00.000Z", true],
      ["2026-11-24T10:00:00Z", false],
      ["2026-11-24T10:00:00.000+01:00", false],
      ["2026-02-30T10:00:00.000Z", false],
    ]) {
      expect(newOrderSchema.safeParse({ ...placed, placedAt }).success).toBe(right);
    }
  });

  test("G2: positions are degrees that exist", () => {
    const parse = (fix: unknown) => fixSchema.safeParse(fix).success;
    expect(parse({ lat: 57.7, lng: 11.97 })).toBe(true);
    for (const fix of [
      { lat: 91, lng: 0 },
      { lat: 0, lng: 181 },
      { lat: Number.NaN, lng: 0 },
      { lat: Number.POSITIVE_INFINITY, lng: 0 },
      { lat: "57", lng: 0 },
      { lat: 0 },
      { lat: 0, lng: 0, more: 1 },
    ]) {
      expect(parse(fix)).toBe(false);
    }
  });

  test("G3: an unknown field in a frame or a body is refused", () => {
    const frame = {
      type: "send-message",
      clientMessageId: "m1",
      conversationId: "c1",
      content: "hi",
    };
    expect(chatClientFrameSchema.safeParse(frame).success).toBe(true);
    expect(chatClientFrameSchema.safeParse({ ...frame, more: 1 }).success).toBe(false);
    expect(chatClientFrameSchema.safeParse({ ...frame, to: "bakery" }).success).toBe(false);
    expect(orderSchema.safeParse({ ...order, more: 1 }).success).toBe(false);
  });
});

test("G6: every string of a request is an id, a known value or a text by the one rule for texts", () => {
  /** Paths of strings that may hold anything. */
  function free(schema: unknown, path: string): string[] {
    if (typeof schema !== "object" || schema === null) return [];
    const { type, ...rules } = schema as Record<string, unknown>;
    const bound = ["pattern", "format", "enum", "const"].some((rule) => rule in rules);
    if (type === "string") {
      return bound || rules.description === TEXT_DESCRIPTION ? [] : [path];
    }
    return Object.entries(rules).flatMap(([key, value]) => free(value, `${path}.${key}`));
  }
  const schemas = exportJsonSchemas();
  const requests = [
    "Order",
    "PostOrders",
    "PostAcknowledgement",
    "PostOrderStatus",
    "PostRevocation",
    "PostActivity",
    "VendorSettings",
    "OpenConversation",
    "PostMessage",
    "ChatClientFrame",
    "Fix",
    "Delivery",
    "TrackingClientFrame",
  ];
  const found = requests.flatMap((name) => {
    expect(schemas).toHaveProperty(name);
    return free(schemas[name], name);
  });
  // The form of a token and the name of a zone are checked by themselves.
  expect(found.map((path) => path.split(".").at(-1)).sort()).toEqual([
    "timeZone",
    "token",
    "token",
  ]);
  const { note } = (schemas.Order as { properties: Record<string, object> }).properties;
  expect(note).toMatchObject({ maxLength: 1_000 });
});

test("C6: content is 1 to 4,000 characters of well-formed text", () => {
  const parse = (text: string) => chatContentSchema.safeParse(text).success;
  expect(parse("a")).toBe(true);
  expect(parse("👩‍👩‍👧".repeat(800))).toBe(true);
  expect(parse("🥖".repeat(4_000))).toBe(true);
  expect(parse("🥖".repeat(4_001))).toBe(false);
  for (const text of ["", "a\0b", "\ud83e", "\udd56\ud83e", "a\udd56"]) {
    expect(parse(text)).toBe(false);
  }
});

test("T3: status only moves forward", () => {
  const allowed = deliveryStatusSchema.options.flatMap((from) =>
    deliveryStatusSchema.options.filter((to) => mayFollow(from, to)).map((to) => `${from}>${to}`),
  );
  expect(allowed).toEqual([
    "assigned>assigned",
    "assigned>picked_up",
    "assigned>arriving",
    "assigned>delivered",
    "assigned>cancelled",
    "picked_up>picked_up",
    "picked_up>arriving",
    "picked_up>delivered",
    "picked_up>cancelled",
    "arriving>arriving",
    "arriving>delivered",
    "arriving>cancelled",
    "delivered>delivered",
    "cancelled>cancelled",
  ]);
});

test("every public shape is exported as JSON Schema", () => {
  const schemas = exportJsonSchemas();
  expect(schemas.Order).toMatchObject({
    type: "object",
    additionalProperties: false,
    required: ["orderId", "buyerId", "items", "total", "currency"],
  });
  expect(schemas.ChatClientFrame).toMatchObject({ oneOf: expect.any(Array) });
});

test("S44: an event is published as it is known, and read with fields of a newer version, which stay", () => {
  const at = "2026-11-24T10:00:00.000Z";
  const [item] = order.items;
  const placed = { ...order, vendorId: "bakery", placedAt: at };
  const newer = { ...placed, gift: true, items: [{ ...item, allergens: ["milk"] }] };
  expect(vendorEventSchemas["new-order"].safeParse(newer).success).toBe(false);
  expect(storedEventSchemas["new-order"].parse(newer)).toEqual(newer);
  const escalated = { orderId: "o1", vendorId: "bakery", at, placedAt: at, reason: "unanswered" };
  const told = { ...escalated, eventId: "e", severity: 2 };
  expect(escalationSchema.parse(told)).toEqual(told);
  // What is known is still checked.
  expect(storedEventSchemas["new-order"].safeParse({ ...newer, total: "7" }).success).toBe(false);
  expect(storedEventSchemas["new-order"].safeParse({ ...newer, items: [] }).success).toBe(false);
});

import { expect, test } from "vitest";
import { parseLoggedEvent } from "./logged-event.ts";

const data = {
  orderId: "order-1",
  vendorId: "bakery",
  at: "2026-01-01T00:00:00.000Z",
  status: "preparing",
};
const messageId = "bakery:order-updated:order-1:status:preparing";

interface Changes {
  kind?: string | null;
  subject?: string;
  data?: unknown;
  messageId?: string;
}

function stored(changes: Changes = {}) {
  const { kind = "order-updated", subject = "vendor.bakery.orders" } = changes;
  const body = "data" in changes ? changes.data : data;
  return {
    subject,
    kind,
    sequence: 7,
    messageId: changes.messageId ?? messageId,
    storedAt: new Date(0),
    data: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  };
}

const place = { vendorId: "bakery", sequence: 7, messageId, storedAt: new Date(0) };

test("S44: an event of the log is read with fields of a newer version, which stay", () => {
  expect(parseLoggedEvent(stored())).toEqual({ ...place, kind: "order-updated", data });
  const newer = { ...data, weight: 3, more: { by: "oven" } };
  expect(parseLoggedEvent(stored({ data: newer }))).toEqual({
    ...{ ...place, kind: "order-updated", data: newer },
  });
});

test.each<[Changes, string]>([
  [{ kind: "order-eaten" }, "its kind is not known"],
  [{ kind: "toString" }, "its kind is not known"],
  [{ kind: "__proto__" }, "its kind is not known"],
  [{ data: "{" }, "it is no JSON"],
  [{ data: "" }, "it is no JSON"],
  [{ data: "null" }, "it: invalid_type"],
  [{ data: { ...data, status: "eaten" } }, "status: invalid_value"],
  [{ data: { ...data, at: "yesterday" } }, "at: invalid_format"],
  [{ data: { ...data, orderId: "*" } }, "orderId: invalid_format"],
  [{ data: { ...data, vendorId: "florist" } }, "it is another vendor's"],
  [{ kind: "new-order" }, "buyerId: invalid_type"],
])("S44: what is not understood is kept as it came, with the reason: %o", (changes, reason) => {
  const event = stored(changes);
  expect(parseLoggedEvent(event)).toEqual({
    ...{ ...place, kind: event.kind, orderId: "order-1", data: event.data, reason },
  });
});

test.each<[Changes]>([
  [{ kind: null }],
  [{ subject: "vendor.a$b.orders" }],
  [{ subject: `vendor.${"v".repeat(65)}.orders` }],
  [{ messageId: "bakery:order-updated:\0" }],
  [{ messageId: `bakery:order-updated:${"o".repeat(600)}` }],
])("S44: what no version of this platform writes is no event: %o", (changes) => {
  expect(parseLoggedEvent(stored(changes))).toBeNull();
});

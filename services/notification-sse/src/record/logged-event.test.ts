import { expect, test } from "vitest";
import { parseLoggedEvent } from "./logged-event.ts";

const data = {
  orderId: "order-1",
  vendorId: "bakery",
  at: "2026-01-01T00:00:00.000Z",
  status: "preparing",
};

function stored(changes: { kind?: string | null; subject?: string; data?: unknown } = {}) {
  const { kind = "order-updated", subject = "vendor.bakery.orders" } = changes;
  const body = "data" in changes ? changes.data : data;
  return {
    subject,
    kind,
    sequence: 7,
    messageId: "bakery:order-updated:order-1:status:preparing",
    storedAt: new Date(0),
    data: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  };
}

test("S30: an event of the log is told from what is foreign or malformed", () => {
  expect(parseLoggedEvent(stored())).toEqual({
    ...{ vendorId: "bakery", kind: "order-updated", data, sequence: 7, storedAt: new Date(0) },
    messageId: "bakery:order-updated:order-1:status:preparing",
  });
  for (const kind of [null, "order-eaten", "toString", "__proto__"]) {
    expect(parseLoggedEvent(stored({ kind }))).toBe("foreign");
  }
  for (const changes of [
    { data: "{" },
    { data: "" },
    { data: { ...data, status: "eaten" } },
    { data: { ...data, at: "yesterday" } },
    { data: { ...data, orderId: "*" } },
    { subject: "vendor.florist.orders" },
    { kind: "new-order" },
  ]) {
    expect(parseLoggedEvent(stored(changes)), JSON.stringify(changes)).toBe("malformed");
  }
});

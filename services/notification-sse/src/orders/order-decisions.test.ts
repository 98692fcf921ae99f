import { vendorIdSchema } from "@localstreet/contracts/ids";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { expect, test } from "vitest";
import { decisionAfter, decisionOfEvent } from "./order-decisions.ts";

const at = "2026-11-24T12:00:00.000Z";
const about = { orderId: "order-7", vendorId: "bakery", at };

function stored(kind: string | null, data: unknown) {
  return {
    subject: vendorOrdersSubject(vendorIdSchema.parse("bakery")),
    sequence: 1,
    messageId: "bakery:x:order-7",
    kind,
    data: Buffer.from(typeof data === "string" ? data : JSON.stringify(data)),
  };
}

test.each([
  ["order-acknowledged", { ...about, state: "accepted", by: "sam" }, "accepted", "sam"],
  ["order-acknowledged", { ...about, state: "rejected", by: "sam" }, "rejected", "sam"],
  ["order-updated", { ...about, status: "accepted" }, "accepted", null],
  ["order-updated", { ...about, status: "ready" }, "accepted", null],
  ["order-updated", { ...about, status: "cancelled" }, "cancelled", null],
  ["order-expired", { ...about, placedAt: at }, "expired", null],
])("S21 S23: %s %o decides an order as %s", (kind, data, state, by) => {
  expect(decisionOfEvent(stored(kind, data))).toEqual({ state, by, at });
});

test.each([
  ["order-acknowledged", { ...about, state: "seen", by: "sam" }],
  ["order-updated", { ...about, status: "placed" }],
  ["order-escalated", { ...about, reason: "unanswered", placedAt: at }],
  ["order-expired", "{"],
  ["order-expired", { about }],
  ["__proto__", about],
  [null, about],
])("%s %o decides nothing", (kind, data) => {
  expect(decisionOfEvent(stored(kind, data))).toBeNull();
});

test("S24: the first decision stays, but for a cancellation of what was accepted", () => {
  const decision = (state: "accepted" | "rejected" | "expired" | "cancelled") => ({
    state,
    by: null,
    at,
  });
  expect(decisionAfter(null, decision("rejected"))?.state).toBe("rejected");
  expect(decisionAfter(decision("accepted"), decision("rejected"))?.state).toBe("accepted");
  expect(decisionAfter(decision("accepted"), decision("cancelled"))?.state).toBe("cancelled");
  expect(decisionAfter(decision("expired"), decision("cancelled"))?.state).toBe("expired");
  expect(decisionAfter(decision("cancelled"), decision("accepted"))?.state).toBe("cancelled");
  expect(decisionAfter(decision("accepted"), null)?.state).toBe("accepted");
});

import type { StreamEvent } from "@localstreet/client/event-stream";
import type { OrderId } from "@localstreet/contracts/ids";
import { expect, test } from "vitest";
import { UnreadOrders } from "./unread-orders.ts";

const event = (kind: string, id: string | null, data: unknown): StreamEvent => ({
  event: kind,
  id,
  data: typeof data === "string" ? data : JSON.stringify(data),
});
const read = (...ids: string[]) => ids.map((orderId) => ({ orderId: orderId as OrderId }));

test("an event is known by its id, and is explained by a record that names its order", () => {
  const unread = new UnreadOrders();
  expect(unread.addEvent(event("new-order", "e1", { orderId: "a", total: "free" }))).toBe(true);
  expect(unread.addEvent(event("new-order", "e1", { orderId: "a", total: "free" }))).toBe(false);
  expect(unread.addEvent(event("order-reminder", "e2", { orderId: "b" }))).toBe(true);
  expect(unread.countMissing()).toBe(1);
  const known = unread.known();
  // It came while the record was read.
  expect(unread.addEvent(event("new-order", "e3", { orderId: "c" }))).toBe(true);
  unread.explain(known, read("a"), [[], []]);
  expect(unread.countMissing()).toBe(1);
  expect(unread.known()).toEqual(["e3"]);
});

test("an order of which nothing can be shown counts once, however often it was told", () => {
  const unread = new UnreadOrders();
  unread.addEvent(event("new-order", "e1", { orderId: "a" }));
  const bad = { orderId: "a", total: "free" };
  unread.explain(unread.known(), read("b"), [[bad, null], [bad]]);
  expect(unread.countMissing()).toBe(2);
  // A row without a name may be the same one in both lists.
  unread.explain(unread.known(), read("b"), [
    [bad, null],
    [bad, null],
  ]);
  expect(unread.countMissing()).toBe(2);
  unread.explain(unread.known(), read("a", "b"), [[], []]);
  expect(unread.countMissing()).toBe(0);
});

test("an order that nobody can name stays counted", () => {
  const unread = new UnreadOrders();
  for (const [id, data] of ["{", "null", "[]", { orderId: "a.b" }].entries()) {
    expect(unread.addEvent(event("new-order", `e${id}`, data))).toBe(true);
  }
  unread.explain(unread.known(), read("a"), [[], []]);
  expect(unread.countMissing()).toBe(4);
});

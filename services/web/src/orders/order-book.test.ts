import type { OrderId } from "@localstreet/contracts/ids";
import { newOrderSchema } from "@localstreet/contracts/order";
import { expect, test } from "vitest";
import {
  applyEvent,
  inOrder,
  isOpen,
  isRinging,
  type OrderBook,
  type OrderEvent,
} from "./order-book.ts";

const at = "2026-11-24T10:00:00.000Z";

function placed(orderId: string, placedAt = at): OrderEvent {
  const data = newOrderSchema.parse({
    orderId,
    vendorId: "bakery",
    buyerId: "ana",
    items: [{ name: "Kanelbulle", quantity: 1, unitPrice: 3_500 }],
    total: 3_500,
    currency: "SEK",
    placedAt,
  });
  return { kind: "new-order", data };
}

const about = (kind: string, data: object) =>
  ({ kind, data: { orderId: "o1", vendorId: "bakery", at, ...data } }) as unknown as OrderEvent;
const acknowledged = (state: string, by: string) => about("order-acknowledged", { state, by });

const after = (...events: OrderEvent[]) => events.reduce(applyEvent, new Map() as OrderBook);
const theOne = (book: OrderBook) => {
  const order = book.get("o1" as OrderId);
  if (!order) throw new Error("no such order");
  return order;
};

test("an order rings until somebody has seen it, and is open until it is decided", () => {
  const rings = after(placed("o1"), acknowledged("received", "sam"));
  expect([isRinging(theOne(rings)), theOne(rings).received]).toEqual([true, true]);
  const seen = applyEvent(rings, acknowledged("seen", "sam"));
  expect([isRinging(theOne(seen)), isOpen(theOne(seen))]).toEqual([false, true]);
  const answered = applyEvent(seen, acknowledged("accepted", "kim"));
  expect(theOne(answered)).toMatchObject({ status: "accepted", answeredBy: "kim" });
});

test("what has decided an order stays, whatever comes after it", () => {
  const accepted = after(placed("o1"), acknowledged("accepted", "kim"));
  const later = [acknowledged("rejected", "sam"), about("order-expired", {}), placed("o1")];
  expect(theOne(later.reduce(applyEvent, accepted))).toEqual(theOne(accepted));
  const cooking = applyEvent(accepted, about("order-updated", { status: "preparing" }));
  expect(theOne(cooking)).toMatchObject({ status: "preparing", answeredBy: "kim" });
});

test("reminders count up, and an escalation says why", () => {
  const book = after(
    placed("o1"),
    about("order-reminder", { reminder: 2 }),
    about("order-reminder", { reminder: 1 }),
    about("order-escalated", { reason: "unanswered" }),
  );
  expect(theOne(book)).toMatchObject({ reminders: 2, escalation: "unanswered" });
  expect(theOne(applyEvent(book, about("order-expired", {}))).status).toBe("expired");
});

test("what waits longest is on top; of what is over the newest, and not more than fits", () => {
  let book: OrderBook = new Map();
  for (let n = 10; n < 60; n += 1) {
    book = applyEvent(book, placed(`o${n}`, `2026-11-24T10:00:${n}.000Z`));
    if (n < 58) {
      book = applyEvent(book, about("order-updated", { orderId: `o${n}`, status: "cancelled" }));
    }
  }
  const ids = inOrder(book).map(({ order }) => order.orderId);
  expect(ids.slice(0, 4)).toEqual(["o58", "o59", "o57", "o56"]);
  expect(ids).toHaveLength(42);
});

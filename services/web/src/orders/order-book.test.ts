import type { OrderId } from "@localstreet/contracts/ids";
import { newOrderSchema } from "@localstreet/contracts/order";
import { expect, test } from "vitest";
import {
  applyDecision,
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

const NOW = Date.parse(at);
const apply = (book: OrderBook, event: OrderEvent) => applyEvent(book, event, NOW);
const after = (...events: OrderEvent[]) => events.reduce(apply, new Map() as OrderBook);
const theOne = (book: OrderBook) => {
  const order = book.get("o1" as OrderId);
  if (!order) throw new Error("no such order");
  return order;
};

test("an order rings until somebody has seen it, and is open until it is decided", () => {
  const rings = after(placed("o1"), acknowledged("received", "sam"));
  expect([isRinging(theOne(rings)), theOne(rings).received]).toEqual([true, true]);
  const seen = apply(rings, acknowledged("seen", "sam"));
  expect([isRinging(theOne(seen)), isOpen(theOne(seen))]).toEqual([false, true]);
  const answered = apply(seen, acknowledged("accepted", "kim"));
  expect(theOne(answered)).toMatchObject({ status: "accepted", answeredBy: "kim" });
});

test("what has decided an order stays, whatever comes after it", () => {
  const accepted = after(placed("o1"), acknowledged("accepted", "kim"));
  const later = [acknowledged("rejected", "sam"), about("order-expired", {}), placed("o1")];
  expect(theOne(later.reduce(apply, accepted))).toEqual(theOne(accepted));
  const cooking = apply(accepted, about("order-updated", { status: "preparing" }));
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
  expect(theOne(apply(book, about("order-expired", {}))).status).toBe("expired");
});

test("what waits longest is on top; of what is over the newest, and not more than fits", () => {
  let book: OrderBook = new Map();
  for (let n = 10; n < 60; n += 1) {
    book = apply(book, placed(`o${n}`, `2026-11-24T10:00:${n}.000Z`));
    if (n < 58) {
      book = apply(book, about("order-updated", { orderId: `o${n}`, status: "cancelled" }));
    }
  }
  const ids = inOrder(book).map(({ order }) => order.orderId);
  expect(ids.slice(0, 4)).toEqual(["o58", "o59", "o57", "o56"]);
  expect(ids).toHaveLength(42);
});

test("S30: what is cancelled, rejected or expired stays so, and reminds nobody", () => {
  const ends = [
    about("order-updated", { status: "cancelled" }),
    acknowledged("rejected", "kim"),
    about("order-expired", {}),
  ];
  const later = [
    about("order-updated", { status: "preparing" }),
    about("order-updated", { status: "cancelled" }),
    about("order-reminder", { reminder: 3 }),
    about("order-escalated", { reason: "unanswered" }),
  ];
  for (const end of ends) {
    const book = after(placed("o1"), end);
    expect(later.reduce(apply, book)).toEqual(book);
  }
  const unknown = after(placed("o1"), about("order-updated", { status: "expired" }));
  expect(isOpen(theOne(unknown))).toBe(true);
});

test("what is decided before the viewer's eyes keeps its place until the list settles", () => {
  let book: OrderBook = new Map();
  for (let n = 1; n <= 4; n += 1)
    book = apply(book, placed(`o${n}`, `2026-11-24T09:00:0${n}.000Z`));
  const answeredAt = NOW + 5_000;
  book = applyEvent(
    book,
    about("order-acknowledged", { orderId: "o2", state: "accepted", by: "kim" }),
    answeredAt,
  );
  book = applyDecision(
    book,
    "o1" as OrderId,
    { state: "rejected", by: null, at: "2026-11-24T10:00:09.000Z" },
    answeredAt + 1_000,
  );
  const ids = (settledAtMs: number) => inOrder(book, settledAtMs).map(({ order }) => order.orderId);
  expect(ids(answeredAt - 1)).toEqual(["o1", "o2", "o3", "o4"]);
  expect(ids(answeredAt)).toEqual(["o1", "o3", "o4", "o2"]);
  // The newest decision is on top of those that are over.
  expect(ids(answeredAt + 1_000)).toEqual(["o3", "o4", "o1", "o2"]);
  // Who answered comes with the stream, and moves nothing.
  const told = applyEvent(book, acknowledged("rejected", "sam"), answeredAt + 9_000);
  expect(theOne(told)).toEqual({ ...theOne(book), answeredBy: "sam" });
});

test("an order that was just answered is never the one that gives way, however old it is", () => {
  let book: OrderBook = after(placed("o1", "2026-11-24T08:00:00.000Z"));
  for (let n = 10; n < 60; n += 1) {
    book = apply(book, placed(`o${n}`, `2026-11-24T09:00:${n}.000Z`));
    book = apply(book, about("order-updated", { orderId: `o${n}`, status: "cancelled" }));
  }
  const late = { at: "2026-11-24T10:00:01.000Z", state: "accepted", by: "kim" };
  book = apply(book, about("order-acknowledged", late));
  expect(theOne(book).status).toBe("accepted");
});

import type { PersonId } from "@localstreet/contracts/ids";
import { useEffect, useMemo, useRef, useState } from "react";
import { formatAge } from "../age.ts";
import { ConnectionChip, explainRefusal } from "../connection-chip.tsx";
import { useNow } from "../use-now.ts";
import { ActivityList } from "./activity-list.tsx";
import { Figures } from "./figures.tsx";
import { formatMoney } from "./money.ts";
import { useMovedCards } from "./moved-cards.ts";
import { inOrder, isHeld, isOpen, type OrderBook, type ShopOrder } from "./order-book.ts";
import { OrderCard } from "./order-card.tsx";
import type { DeskState, OrderDesk } from "./order-desk.ts";

/** Cards that were answered give way once nobody has pointed at the list, and they were seen, for so long. Milliseconds. */
const SETTLE_MS = 3_000;

export function OrdersPanel(props: {
  state: DeskState;
  desk: OrderDesk | null;
  vendorName: string;
  vendorStreet: string | null;
  nameOfBuyer(buyerId: PersonId): string;
  sounding: boolean;
  onSound(on: boolean): void;
}) {
  const { state, desk, vendorName, vendorStreet, nameOfBuyer, sounding, onSound } = props;
  const now = useNow(1_000);
  const list = useRef<HTMLOListElement>(null);
  const pointedAtMs = useRef(0);
  const noticePointing = () => {
    pointedAtMs.current = Date.now();
  };
  const settledAtMs = useSettled(state.book, pointedAtMs, now);
  const orders = useMemo(() => inOrder(state.book, settledAtMs), [state.book, settledAtMs]);
  const { moved, hasJustMoved } = useMovedCards(list);
  return (
    <section className="panel orders" aria-labelledby="orders-title">
      <header className="panel-head">
        <div className="panel-title">
          <h2 id="orders-title">Orders</h2>
          <p>{vendorStreet ? `${vendorName}, ${vendorStreet}` : vendorName}</p>
        </div>
        <button
          type="button"
          className="button sound"
          aria-pressed={sounding}
          title="Ring until somebody answers"
          onClick={() => onSound(!sounding)}
        >
          <SoundIcon on={sounding} />
          Sound
        </button>
        <ConnectionChip state={state.connection} of="Orders" unreadable={state.unreadable} />
      </header>
      <Figures summary={state.summary} />
      <Announcement orders={orders} nameOfBuyer={nameOfBuyer} />
      {orders.length === 0 && <p className="quiet">{explainQuiet(state)}</p>}
      <ol
        ref={list}
        className="feed"
        aria-label="Orders, those that wait for an answer first"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard.
        tabIndex={0}
        onPointerMove={noticePointing}
        onPointerDown={noticePointing}
        onKeyDown={noticePointing}
        onWheel={noticePointing}
      >
        {orders.map((order) => {
          const { orderId, buyerId, placedAt } = order.order;
          return (
            <OrderCard
              key={orderId}
              order={order}
              buyerName={nameOfBuyer(buyerId)}
              age={formatAge(now - Date.parse(placedAt))}
              held={isHeld(order, settledAtMs)}
              moved={moved.has(orderId)}
              answering={state.answering.get(orderId) ?? null}
              failed={state.failed.get(orderId) ?? null}
              answeredHere={state.answeredHere.has(orderId)}
              desk={desk}
              hasJustMoved={hasJustMoved}
            />
          );
        })}
      </ol>
      {/* Below the list: nothing moves in it when they come and go. */}
      {explainHoles(state).map((text) => (
        <p key={text} className="hole" role="status">
          {text}
        </p>
      ))}
      <ActivityList activity={state.activity} now={now} />
    </section>
  );
}

/** Up to when what was decided has given way; see `inOrder`. */
function useSettled(
  book: OrderBook,
  pointedAtMs: { readonly current: number },
  now: number,
): number {
  const [settledAtMs, setSettledAtMs] = useState(Date.now);
  useEffect(() => {
    const settleMs = now - SETTLE_MS;
    if (pointedAtMs.current > settleMs) return;
    const isDue = ({ closedHereAtMs }: ShopOrder) =>
      closedHereAtMs !== null && closedHereAtMs > settledAtMs && closedHereAtMs <= settleMs;
    if ([...book.values()].some(isDue)) setSettledAtMs(settleMs);
  }, [book, pointedAtMs, now, settledAtMs]);
  return settledAtMs;
}

/** What the list does not show, and why. */
function explainHoles({ book, record, hasMore, unreadOrders }: DeskState): string[] {
  const holes: string[] = [];
  if (unreadOrders > 0) {
    holes.push(
      unreadOrders === 1
        ? "1 order could not be read and is not shown."
        : `${unreadOrders} orders could not be read and are not shown.`,
    );
  }
  if (record === "unread" && book.size > 0) {
    holes.push("Earlier orders cannot be read at the moment. New ones come at once.");
  }
  if (record === "behind") holes.push("Something was missed. The orders are read again…");
  if (record === "unclear") {
    holes.push("Something that was said of the orders cannot be read. It is tried again.");
  }
  if (hasMore) holes.push("More orders wait than are shown here.");
  return holes;
}

/** What waits for an answer, as a sentence for screen readers. */
function Announcement({
  orders,
  nameOfBuyer,
}: {
  orders: readonly ShopOrder[];
  nameOfBuyer(buyerId: PersonId): string;
}) {
  const newest = orders.findLast(isOpen);
  const text = useMemo(() => {
    if (!newest) return "";
    const { buyerId, total, currency } = newest.order;
    return `Order from ${nameOfBuyer(buyerId)}, ${formatMoney(total, currency)}, waits for an answer`;
  }, [newest, nameOfBuyer]);
  return (
    <p className="visually-hidden" aria-live="polite">
      {text}
    </p>
  );
}

function explainQuiet({ connection, record }: DeskState): string {
  if (connection.phase === "refused") return `No orders: ${explainRefusal(connection.code)}.`;
  if (connection.phase !== "open") return "Waiting for the stream…";
  return record === "unread"
    ? "Listening. Earlier orders cannot be read at the moment."
    : "Listening. Orders ring here the moment they are placed.";
}

function SoundIcon({ on }: { on: boolean }) {
  return (
    <svg viewBox="0 0 20 20" aria-hidden="true" className="icon">
      <path d="M9.5 4 5.8 7H3v6h2.8l3.7 3z" fill="currentColor" stroke="none" />
      {on ? (
        <path d="M12.5 7.5a3.5 3.5 0 0 1 0 5M14.7 5a7 7 0 0 1 0 10" />
      ) : (
        <path d="m13 8 4 4m0-4-4 4" />
      )}
    </svg>
  );
}

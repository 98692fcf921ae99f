import type { PersonId } from "@localstreet/contracts/ids";
import { useMemo } from "react";
import { ConnectionChip, explainRefusal } from "../connection-chip.tsx";
import { useNow } from "../use-now.ts";
import { ActivityList } from "./activity-list.tsx";
import { Figures } from "./figures.tsx";
import { formatMoney } from "./money.ts";
import { inOrder, isOpen, type ShopOrder } from "./order-book.ts";
import { OrderCard } from "./order-card.tsx";
import type { DeskState, OrderDesk } from "./order-desk.ts";

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
  const orders = useMemo(() => inOrder(state.book), [state.book]);
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
        <ConnectionChip state={state.connection} of="Orders" />
      </header>
      <Figures summary={state.summary} />
      <Announcement orders={orders} nameOfBuyer={nameOfBuyer} />
      {orders.length === 0 && <p className="quiet">{explainQuiet(state)}</p>}
      {orders.length > 0 && !state.isWhole && (
        <p className="hole">Earlier orders cannot be read at the moment. New ones come at once.</p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard. */}
      <ol className="feed" aria-label="Orders, those that wait for an answer first" tabIndex={0}>
        {orders.map((order) => {
          const { orderId } = order.order;
          return (
            <OrderCard
              key={orderId}
              order={order}
              now={now}
              answering={state.answering.get(orderId) ?? null}
              answeredHere={state.answeredHere.has(orderId)}
              nameOfBuyer={nameOfBuyer}
              onSee={() => desk?.see(orderId)}
              onAnswer={(answer) => desk?.answer(orderId, answer)}
            />
          );
        })}
      </ol>
      <ActivityList activity={state.activity} now={now} />
    </section>
  );
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

function explainQuiet({ connection, isWhole }: DeskState): string {
  if (connection.phase === "refused") return `No orders: ${explainRefusal(connection.code)}.`;
  if (connection.phase !== "open") return "Waiting for the stream…";
  return isWhole
    ? "Listening. Orders ring here the moment they are placed."
    : "Listening. Earlier orders cannot be read at the moment.";
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

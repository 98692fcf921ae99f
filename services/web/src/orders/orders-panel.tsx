import type { PersonId } from "@localstreet/contracts/ids";
import { useMemo } from "react";
import { formatAge } from "../age.ts";
import { ConnectionChip, explainRefusal } from "../connection-chip.tsx";
import { useNow } from "../use-now.ts";
import { formatMoney } from "./money.ts";
import type { FeedEntry, OrderFeedState } from "./order-feed.ts";

export function OrdersPanel(props: {
  feed: OrderFeedState;
  vendorName: string;
  vendorStreet: string | null;
  nameOfBuyer(buyerId: PersonId): string;
  sounding: boolean;
  onSound(on: boolean): void;
}) {
  const { feed, vendorName, vendorStreet, nameOfBuyer, sounding, onSound } = props;
  const now = useNow(1_000);
  const orders = feed.entries.filter((entry) => entry.kind === "order");
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
          title="A sound for each new order"
          onClick={() => onSound(!sounding)}
        >
          <SoundIcon on={sounding} />
          Sound
        </button>
        <ConnectionChip state={feed.connection} of="Orders" />
      </header>
      <Announcement entries={feed.entries} nameOfBuyer={nameOfBuyer} />
      {orders.length === 0 && <p className="quiet">{explainQuiet(feed)}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard. */}
      <ol className="feed" aria-label="Orders and activity, newest first" tabIndex={0}>
        {feed.entries.map((entry) => (
          <Entry key={entry.key} entry={entry} now={now} nameOfBuyer={nameOfBuyer} />
        ))}
      </ol>
    </section>
  );
}

function Entry({
  entry,
  now,
  nameOfBuyer,
}: {
  entry: FeedEntry;
  now: number;
  nameOfBuyer(buyerId: PersonId): string;
}) {
  if (entry.kind === "hole") {
    return (
      <li className="hole">
        {entry.status === "gap"
          ? "Some orders between these are no longer kept by the server."
          : "The server began a new history here. What was shown before is gone."}
      </li>
    );
  }
  if (entry.kind === "chat") {
    const { side, text, at } = entry.activity;
    return (
      <li className="activity">
        <span className="activity-who">{side === "buyer" ? "Buyer" : "You"}</span>
        <span className="activity-text">{text}</span>
        <time dateTime={at}>{formatAge(now - Date.parse(at))}</time>
      </li>
    );
  }
  const { order, replayed } = entry;
  return (
    <li className={replayed ? "order" : "order order-new"}>
      <div className="order-top">
        <strong>{nameOfBuyer(order.buyerId)}</strong>
        <time dateTime={order.placedAt}>{formatAge(now - Date.parse(order.placedAt))}</time>
      </div>
      <ul className="order-items">
        {order.items.map((item) => (
          <li key={`${item.name} ${item.unitPrice}`}>
            <span className="quantity">{item.quantity} ×</span> {item.name}
          </li>
        ))}
      </ul>
      {order.note && <p className="order-note">“{order.note}”</p>}
      <div className="order-bottom">
        <code title={order.orderId}>{order.orderId}</code>
        <strong>{formatMoney(order.total, order.currency)}</strong>
      </div>
    </li>
  );
}

/** The newest order as a sentence for screen readers. Replays are not news. */
function Announcement({
  entries,
  nameOfBuyer,
}: {
  entries: readonly FeedEntry[];
  nameOfBuyer(buyerId: PersonId): string;
}) {
  const newest = entries.find((entry) => entry.kind === "order");
  const text = useMemo(() => {
    if (newest?.kind !== "order" || newest.replayed) return "";
    const { buyerId, total, currency } = newest.order;
    return `New order from ${nameOfBuyer(buyerId)}, ${formatMoney(total, currency)}`;
  }, [newest, nameOfBuyer]);
  return (
    <p className="visually-hidden" aria-live="polite">
      {text}
    </p>
  );
}

function explainQuiet({ connection, resume }: OrderFeedState): string {
  if (connection.phase === "refused") return `No orders: ${explainRefusal(connection.code)}.`;
  if (resume === null) return "Waiting for the stream…";
  return "Listening. Orders appear here the moment they are placed.";
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

import type { PersonId } from "@localstreet/contracts/ids";
import type { OrderStatus } from "@localstreet/contracts/order";
import { formatAge } from "../age.ts";
import { formatMoney } from "./money.ts";
import { isOpen, isRinging, type ShopOrder } from "./order-book.ts";
import type { Answer } from "./order-desk.ts";

const STATUS_TEXT: Record<OrderStatus, string> = {
  placed: "Waiting for an answer",
  accepted: "Accepted",
  rejected: "Rejected",
  preparing: "Preparing",
  ready: "Ready",
  picked_up: "Picked up",
  delivered: "Delivered",
  cancelled: "Cancelled",
  expired: "Expired, nobody answered",
};

const TONES: Partial<Record<OrderStatus, "good" | "bad">> = {
  accepted: "good",
  preparing: "good",
  ready: "good",
  picked_up: "good",
  delivered: "good",
  rejected: "bad",
  expired: "bad",
};

/** One order: with buttons while it is open. Touching it stops the sound everywhere. */
export function OrderCard(props: {
  order: ShopOrder;
  now: number;
  answering: Answer | null;
  answeredHere: boolean;
  nameOfBuyer(buyerId: PersonId): string;
  onSee(): void;
  onAnswer(answer: Answer): void;
}) {
  const { order, now, answering, nameOfBuyer } = props;
  const { orderId, buyerId, items, note, total, currency, placedAt } = order.order;
  const ringing = isRinging(order) && answering === null;
  const open = isOpen(order);
  return (
    <li
      className={`order ${open ? "order-open" : "order-over"} ${ringing ? "order-ringing" : ""}`}
      data-order={orderId}
      onPointerDown={props.onSee}
      onFocus={props.onSee}
    >
      <div className="order-top">
        <strong>{nameOfBuyer(buyerId)}</strong>
        <time dateTime={placedAt}>{formatAge(now - Date.parse(placedAt))}</time>
      </div>
      <ul className="order-items">
        {items.map((item) => (
          <li key={`${item.name} ${item.unitPrice}`}>
            <span className="quantity">{item.quantity} ×</span> {item.name}
          </li>
        ))}
      </ul>
      {note && <p className="order-note">“{note}”</p>}
      <div className="order-bottom">
        <Progress order={order} answering={answering} answeredHere={props.answeredHere} />
        <strong>{formatMoney(total, currency)}</strong>
      </div>
      {open && (
        <div className="order-actions">
          <button
            type="button"
            className="button"
            disabled={answering !== null}
            onClick={() => props.onAnswer("rejected")}
          >
            Reject
          </button>
          <button
            type="button"
            className="button button-primary"
            disabled={answering !== null}
            onClick={() => props.onAnswer("accepted")}
          >
            Accept
          </button>
        </div>
      )}
    </li>
  );
}

function Progress(props: { order: ShopOrder; answering: Answer | null; answeredHere: boolean }) {
  const { order, answering } = props;
  const { status, answeredBy, reminders, escalation } = order;
  if (isOpen(order)) {
    return (
      <p className="order-progress">
        <span className="pill pill-waiting">{describeWaiting(order, answering)}</span>
        {reminders > 0 && (
          <span className="pill">{reminders === 1 ? "1 reminder" : `${reminders} reminders`}</span>
        )}
        {escalation && (
          <span
            className="pill pill-bad"
            title={
              escalation === "nobody-connected"
                ? "No device of the shop was connected"
                : "Nobody answered in time"
            }
          >
            Escalated
          </span>
        )}
      </p>
    );
  }
  const who = props.answeredHere ? "you" : answeredBy;
  const tone = TONES[status];
  return (
    <p className="order-progress">
      <span className={tone ? `pill pill-${tone}` : "pill"}>{STATUS_TEXT[status]}</span>
      {who && <span className="order-who">{`${describeAnswer(status)}by ${who}`}</span>}
    </p>
  );
}

function describeWaiting({ received, seen }: ShopOrder, answering: Answer | null): string {
  if (answering) return answering === "accepted" ? "Accepting…" : "Rejecting…";
  if (seen) return "Seen";
  return received ? "Ringing" : "New";
}

/** Further on the status alone no longer says that somebody accepted it. */
function describeAnswer(status: OrderStatus): string {
  return status === "accepted" || status === "rejected" ? "" : "accepted ";
}

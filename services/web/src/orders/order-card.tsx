import type { OrderStatus } from "@localstreet/contracts/order";
import { type MouseEvent, memo, type RefObject, useLayoutEffect, useRef } from "react";
import { formatMoney } from "./money.ts";
import { isOpen, isRinging, type ShopOrder } from "./order-book.ts";
import type { Answer, FailedAnswer, OrderDesk } from "./order-desk.ts";

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

/**
 * One order: with buttons while it is open. Touching it stops the sound everywhere. `held`: it was answered a moment ago
 * and keeps its place and its height, so that no other card slides under the pointer. There may be hundreds, and an event
 * changes one: the others are not drawn again.
 */
export const OrderCard = memo(function OrderCard(props: {
  order: ShopOrder;
  buyerName: string;
  age: string;
  held: boolean;
  /** It has just come to where it is: a pointer that presses meant another one. `hasJustMoved` says so in time. */
  moved: boolean;
  answering: Answer | null;
  failed: FailedAnswer | null;
  answeredHere: boolean;
  desk: OrderDesk | null;
  hasJustMoved(orderId: string): boolean;
}) {
  const { order, held, moved, answering, failed, answeredHere, desk } = props;
  const { orderId, items, note, total, currency, placedAt } = order.order;
  const hasJustMoved = () => props.hasJustMoved(orderId);
  const ringing = isRinging(order) && answering === null;
  const open = isOpen(order);
  const card = useRef<HTMLLIElement>(null);
  return (
    <li
      ref={card}
      tabIndex={-1}
      className={`order ${open ? "order-open" : "order-over"} ${ringing ? "order-ringing" : ""}`}
      data-order={orderId}
      onPointerDown={() => {
        if (!hasJustMoved()) desk?.see(orderId);
      }}
      onFocus={(event) => {
        // A pointer that presses focuses as well, and is dealt with above.
        if (event.target.matches(":focus-visible")) desk?.see(orderId);
      }}
    >
      <div className="order-top">
        <strong>{props.buyerName}</strong>
        <time dateTime={placedAt}>{props.age}</time>
      </div>
      <ul className="order-items">
        {items.map((item, index) => (
          <li key={index}>
            <span className="quantity">{item.quantity} ×</span> {item.name}
          </li>
        ))}
      </ul>
      {note && <p className="order-note">“{note}”</p>}
      <div className="order-bottom">
        {held ? (
          <span />
        ) : (
          <Progress order={order} answering={answering} answeredHere={answeredHere} />
        )}
        <strong>{formatMoney(total, currency)}</strong>
      </div>
      {open && (
        <AnswerButtons
          card={card}
          answering={answering}
          moved={moved}
          hasJustMoved={hasJustMoved}
          onAnswer={(answer) => desk?.answer(orderId, answer)}
        />
      )}
      {held && (
        <div className="order-outcome">
          <Progress order={order} answering={null} answeredHere={answeredHere} />
        </div>
      )}
      {open && failed && (
        <p className="order-fault" role="alert">
          {`Could not ${failed.answer === "accepted" ? "accept" : "reject"}: ${failed.why}. Try again.`}
        </p>
      )}
    </li>
  );
});

function AnswerButtons(props: {
  card: RefObject<HTMLLIElement | null>;
  answering: Answer | null;
  moved: boolean;
  hasJustMoved(): boolean;
  onAnswer(answer: Answer): void;
}) {
  const { card, answering, moved, hasJustMoved, onAnswer } = props;
  const buttons = useRef<HTMLDivElement>(null);
  // They go when the order is answered: whoever works by keyboard stays at the card.
  useLayoutEffect(() => {
    const element = buttons.current;
    return () => {
      if (element?.contains(document.activeElement)) card.current?.focus({ preventScroll: true });
    };
  }, [card]);

  function press(event: MouseEvent, answer: Answer): void {
    // A keyboard presses what has the focus, wherever that has moved: its clicks count no presses.
    const isPointer = event.detail > 0;
    if (answering === null && !(isPointer && hasJustMoved())) onAnswer(answer);
  }

  // Not `disabled`: that would take the focus away.
  const common = { type: "button", "aria-disabled": answering !== null || moved } as const;
  return (
    <div className="order-actions" ref={buttons}>
      <button {...common} className="button" onClick={(event) => press(event, "rejected")}>
        Reject
      </button>
      <button
        {...common}
        className="button button-primary"
        onClick={(event) => press(event, "accepted")}
      >
        Accept
      </button>
    </div>
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

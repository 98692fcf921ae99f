import type { ActivityEvent } from "@localstreet/contracts/dashboard";
import type { DeliveryStatus } from "@localstreet/contracts/tracking";
import { formatAge } from "../age.ts";
import type { DeskState } from "./order-desk.ts";

const DELIVERY_TEXT: Record<DeliveryStatus, string> = {
  assigned: "A courier is on the way to the shop",
  picked_up: "The courier has picked it up",
  arriving: "The courier is at the door",
  delivered: "Delivered",
  cancelled: "Called off",
};

/** What goes on in the shop, newest first. */
export function ActivityList({ activity, now }: { activity: DeskState["activity"]; now: number }) {
  return (
    <section className="activities" aria-labelledby="activities-title">
      <h3 id="activities-title">Activity</h3>
      {activity.length === 0 ? (
        <p className="quiet">Visits, baskets, reviews, chats and deliveries show here.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard.
        <ol tabIndex={0} aria-label="Activity, newest first">
          {activity.map(({ key, line }) => {
            const { icon, who, text } = describe(line);
            return (
              <li key={key} className={`activity activity-${line.kind}`}>
                <ActivityIcon path={icon} />
                <span className="activity-who">{who}</span>
                <span className="activity-text" title={text}>
                  {text}
                </span>
                <time dateTime={line.at}>{formatAge(now - Date.parse(line.at))}</time>
              </li>
            );
          })}
        </ol>
      )}
    </section>
  );
}

function ActivityIcon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 20 20" aria-hidden="true" className="icon">
      <path d={path} />
    </svg>
  );
}

function describe(line: ActivityEvent): { icon: string; who: string; text: string } {
  switch (line.kind) {
    case "visit":
      return {
        icon: "M2.5 10s2.8-5 7.5-5 7.5 5 7.5 5-2.8 5-7.5 5-7.5-5-7.5-5Zm7.5 2.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4Z",
        who: "Visit",
        text: line.page,
      };
    case "cart":
      return {
        icon: "M2.5 4h2l1.8 8.5h8.4L16.5 7H5.2M7.5 16h.01M13.5 16h.01",
        who: "Basket",
        text: describeCart(line),
      };
    case "review":
      return {
        icon: "m10 3 2.1 4.4 4.9.6-3.6 3.3.9 4.8L10 13.7l-4.3 2.4.9-4.8L3 8l4.9-.6Z",
        who: "★".repeat(line.stars),
        text: line.author ? `“${line.text}” ${line.author}` : `“${line.text}”`,
      };
    case "chat":
      return {
        icon: "M3.5 5h13v8.5H9L5.5 16v-2.5h-2Z",
        who: line.side === "buyer" ? "Buyer" : "You",
        text: line.text,
      };
    case "delivery":
      return {
        icon: "M2.5 5.5h9v8h-9Zm9 3h3l3 3v2h-6M6 15.5h.01M14.5 15.5h.01",
        who: "Delivery",
        text: DELIVERY_TEXT[line.status],
      };
  }
}

function describeCart({
  action,
  item,
  quantity,
}: Extract<ActivityEvent, { kind: "cart" }>): string {
  if (action === "abandoned") return `${item} left behind`;
  return action === "added" ? `${quantity} × ${item}` : `${quantity} × ${item} put back`;
}

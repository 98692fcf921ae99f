import type { Summary } from "@localstreet/contracts/dashboard";
import { formatMoney } from "./money.ts";

/** The vendor's day in figures. One that the server does not know is a dash. */
export function Figures({ summary }: { summary: Summary | null }) {
  const revenue = summary?.revenue?.map(({ currency, amount }) => formatMoney(amount, currency));
  return (
    <dl
      className={summary?.stale ? "figures figures-stale" : "figures"}
      title={summary ? explain(summary) : undefined}
    >
      <Figure label="Orders today" value={summary?.orders} />
      <Figure label="Revenue today" value={revenue && (revenue.join(" + ") || "0")} />
      <Figure label="To answer" value={summary?.openOrders} calls />
      <Figure label="Unread chats" value={summary?.unreadChats} calls />
      <Figure label="On the way" value={summary?.deliveriesUnderWay} />
      <Figure label="Devices" value={summary?.devicesOnline} />
    </dl>
  );
}

function Figure(props: {
  label: string;
  value: string | number | null | undefined;
  /** Any but zero asks for somebody. */
  calls?: boolean;
}) {
  const { label, value, calls } = props;
  return (
    <div className={calls && value ? "figure figure-calls" : "figure"}>
      <dt>{label}</dt>
      <dd>{value ?? "–"}</dd>
    </div>
  );
}

function explain({ day, timeZone, stale, asOf }: Summary): string {
  const of = `${day}, ${timeZone}`;
  if (!stale) return of;
  return asOf
    ? `${of}. The record does not answer: as of ${new Date(asOf).toLocaleTimeString()}`
    : `${of}. The record does not answer`;
}

import { parseEventId } from "@localstreet/contracts/event-id";
import { type OrderId, orderIdSchema } from "@localstreet/contracts/ids";

/**
 * Where the next page of a list of orders begins (PROTOCOL.md S25). Opaque to clients. It carries the `asOf` of the first
 * page, so that every page says the same: the orders of the first page change while the others are read.
 */
export interface OrdersCursor {
  readonly state: "open" | "all";
  readonly asOf: string;
  /** Of the last order of the page before. */
  readonly placedAt: Date;
  readonly orderId: OrderId;
}

const CURSOR = /^(open|all)\.([a-z0-9A-Z_-]{1,40})\.(-?[0-9]{1,15})\.([A-Za-z0-9_-]{1,64})$/;

/** A time of an order has a year of four digits. Milliseconds. */
const FIRST_MS = Date.parse("0000-01-01T00:00:00.000Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

export function encodeOrdersCursor({ state, asOf, placedAt, orderId }: OrdersCursor): string {
  return [state, asOf, placedAt.getTime(), orderId].join(".");
}

/** @returns `null` for anything that this platform never issued. */
export function parseOrdersCursor(text: string): OrdersCursor | null {
  const [, state, asOf = "", ms, orderId] = CURSOR.exec(text) ?? [];
  const placedAtMs = Number(ms);
  if (!(placedAtMs >= FIRST_MS && placedAtMs <= LAST_MS) || !parseEventId(asOf)) return null;
  return {
    state: state === "open" ? "open" : "all",
    asOf,
    placedAt: new Date(placedAtMs),
    orderId: orderIdSchema.parse(orderId),
  };
}

import type { StreamEvent } from "@localstreet/client/event-stream";
import type { OrderId } from "@localstreet/contracts/ids";
import { findOrderId, parseJson } from "./order-event.ts";

/** Events that are remembered; more of them than that is one fault, and its number is no news. */
const MOST_EVENTS = 1_000;

/** What the platform told of orders and this page could not read, until the record has told it in another way. */
export class UnreadOrders {
  /** By the event's id. `null`: it does not say which order it is about. */
  readonly #events = new Map<string, { orderId: OrderId | null; isNew: boolean }>();
  /** Of the record as it was read last. */
  readonly #rows = new Set<OrderId>();
  #unnamedRows = 0;
  #withoutId = 0;

  /** @returns `false` when it was known: the same event comes again wherever a stream begins before it. */
  addEvent({ id, event, data }: StreamEvent): boolean {
    const key = id ?? `without id ${this.#withoutId++}`;
    if (this.#events.has(key) || this.#events.size >= MOST_EVENTS) return false;
    const orderId = findOrderId(parseJson(data));
    this.#events.set(key, { orderId, isNew: event === "new-order" });
    return true;
  }

  /** The events that a read of the record may explain: those that came before it was asked for. */
  known(): readonly string[] {
    return [...this.#events.keys()];
  }

  /**
   * The record was read, up to an end that the events of `known` stand before. Of these only orders are left that it does
   * not name.
   *
   * @param lists rows that could not be read, by list: an order may be in several.
   */
  explain(
    known: readonly string[],
    orders: readonly { readonly orderId: OrderId }[],
    lists: readonly (readonly unknown[])[],
  ): void {
    const named = new Set(orders.map(({ orderId }) => orderId));
    this.#rows.clear();
    for (const row of lists.flat()) {
      const orderId = findOrderId(row);
      if (orderId) this.#rows.add(orderId);
    }
    const unnamed = lists.map((rows) => rows.filter((row) => !findOrderId(row)).length);
    this.#unnamedRows = Math.max(0, ...unnamed);
    for (const key of known) {
      const event = this.#events.get(key);
      if (!event) continue;
      const isMissing = event.isNew && (!event.orderId || !named.has(event.orderId));
      if (!isMissing) this.#events.delete(key);
    }
  }

  /** Orders of which nothing can be shown. */
  countMissing(): number {
    const named = new Set(this.#rows);
    let unnamed = this.#unnamedRows;
    for (const { orderId, isNew } of this.#events.values()) {
      if (!isNew) continue;
      if (orderId) named.add(orderId);
      else unnamed += 1;
    }
    return named.size + unnamed;
  }
}

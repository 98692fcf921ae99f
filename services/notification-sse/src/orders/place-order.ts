import type { Bus } from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import type { SubjectFeed } from "@localstreet/bus/subject-feed";
import type { VendorId } from "@localstreet/contracts/ids";
import type { Order } from "@localstreet/contracts/order";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter } from "prom-client";

export interface PlacedOrder {
  /** `conflict`: another body was stored under this `orderId`, and stays. */
  readonly status: "stored" | "duplicate" | "conflict";
  /** The id of the event that is stored. */
  readonly id: string;
}

/**
 * Stores an order as the event `new-order` (PROTOCOL.md S1, S2).
 *
 * @throws {BusUnavailableError} when it is not known to be stored; placing the same again is safe.
 */
export type PlaceOrder = (vendorId: VendorId, order: Order) => Promise<PlacedOrder>;

export function createPlaceOrder(
  { metrics }: ServiceKit,
  { bus, feed }: { bus: Bus; feed: SubjectFeed },
): PlaceOrder {
  const published = new Counter({
    name: "localstreet_orders_published_total",
    help: "Orders by what the log said: unavailable ones were refused and may be sent again",
    labelNames: ["outcome"],
    registers: [metrics],
  });
  return async (vendorId, order) => {
    const { status, id } = await publishVendorEvent(bus, {
      vendorId,
      kind: "new-order",
      data: { ...order, vendorId, placedAt: new Date().toISOString() },
    }).catch((error) => {
      published.inc({ outcome: "unavailable" });
      throw error;
    });
    published.inc({ outcome: status });
    // Whoever repeats an order has not seen it arrive.
    if (status === "duplicate") feed.checkSoon(vendorOrdersSubject(vendorId));
    return { status, id };
  };
}

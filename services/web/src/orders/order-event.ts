import type { StreamEvent } from "@localstreet/client/event-stream";
import { type OrderId, orderIdSchema } from "@localstreet/contracts/ids";
import { storedEventSchemas, type VendorEventKind } from "@localstreet/contracts/vendor-events";
import { z } from "zod";
import type { OrderEvent } from "./order-book.ts";

/** Whether an event of the stream is one of an order. */
export function isOrderEvent({ event }: StreamEvent): boolean {
  return Object.hasOwn(storedEventSchemas, event);
}

/** An event of an order; `null` for one that cannot be read. */
export function parseOrderEvent({ event, data }: StreamEvent): OrderEvent | null {
  const kind = event as VendorEventKind;
  const parsed = storedEventSchemas[kind].safeParse(parseJson(data));
  return parsed.success ? ({ kind, data: parsed.data } as OrderEvent) : null;
}

/** The order that something unreadable is about, where that much can be read. */
export function findOrderId(value: unknown): OrderId | null {
  const parsed = z.object({ orderId: orderIdSchema }).safeParse(value);
  return parsed.success ? parsed.data.orderId : null;
}

/** `undefined` for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

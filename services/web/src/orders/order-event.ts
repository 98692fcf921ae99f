import type { StreamEvent } from "@localstreet/client/event-stream";
import { type OrderId, orderIdSchema } from "@localstreet/contracts/ids";
import { newOrderSchema, orderItemSchema } from "@localstreet/contracts/order";
import { recordedOrderSchema } from "@localstreet/contracts/order-answers";
import { type VendorEventKind, vendorEventSchemas } from "@localstreet/contracts/vendor-events";
import { z } from "zod";
import type { OrderEvent } from "./order-book.ts";

// A newer server may tell more than this page knows (PROTOCOL.md G3).
const items = z.array(orderItemSchema.loose()).min(1);

const EVENTS = {
  "new-order": newOrderSchema.extend({ items }).loose(),
  "order-updated": vendorEventSchemas["order-updated"].loose(),
  "order-acknowledged": vendorEventSchemas["order-acknowledged"].loose(),
  "order-reminder": vendorEventSchemas["order-reminder"].loose(),
  "order-escalated": vendorEventSchemas["order-escalated"].loose(),
  "order-expired": vendorEventSchemas["order-expired"].loose(),
} as const satisfies Record<VendorEventKind, z.ZodType>;

export const readableOrderSchema = recordedOrderSchema.extend({ items });

/** Whether an event of the stream is one of an order. */
export function isOrderEvent({ event }: StreamEvent): boolean {
  return Object.hasOwn(EVENTS, event);
}

/** An event of an order; `null` for one that cannot be read. */
export function parseOrderEvent({ event, data }: StreamEvent): OrderEvent | null {
  const kind = event as VendorEventKind;
  const parsed = EVENTS[kind].safeParse(parseJson(data));
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

import { type Delivery, deliverySchema } from "@localstreet/contracts/tracking";

/** `undefined` for a delete marker, and for anything else that is no delivery. */
export function parseDelivery(data: Uint8Array): Delivery | undefined {
  try {
    return deliverySchema.parse(JSON.parse(new TextDecoder().decode(data)));
  } catch {
    return undefined;
  }
}

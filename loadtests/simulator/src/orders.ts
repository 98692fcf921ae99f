import type { Random } from "./random.ts";
import type { Menu } from "./shops.ts";
import type { Buyer, Vendor } from "./town.ts";

/** Body of `POST /api/vendor/{vendorId}/orders`. */
export interface OrderBody {
  readonly orderId: string;
  readonly buyerId: string;
  readonly items: readonly {
    readonly name: string;
    readonly quantity: number;
    readonly unitPrice: number;
  }[];
  readonly total: number;
  readonly currency: "SEK";
  readonly note?: string;
}

const NOTES = [
  "The door code is 1793.",
  "Please ring the bell twice.",
  "No bag needed, thanks.",
  "Third floor, the lift is broken.",
  "It is a gift: could you wrap it?",
] as const;

/** Some of a shop's menu for one buyer. Prices are in öre. */
export function createOrder(
  random: Random,
  orderId: string,
  buyer: Buyer,
  vendor: Vendor,
): OrderBody {
  const items = chooseItems(random, vendor.menu);
  return {
    orderId,
    buyerId: buyer.buyerId,
    items,
    total: items.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0),
    currency: "SEK",
    ...(random.chance(0.25) ? { note: random.pick(NOTES) } : {}),
  };
}

function chooseItems(random: Random, menu: Menu): OrderBody["items"] {
  const chosen = random.shuffle(menu).slice(0, random.integer(1, Math.min(3, menu.length)));
  return chosen.map(({ name, unitPrice }) => ({
    name,
    quantity: random.chance(0.7) ? 1 : random.integer(2, 4),
    unitPrice,
  }));
}

import type { PostOrderStatus } from "@localstreet/contracts/order";
import type { Api } from "./api.ts";
import type { Clock } from "./clock.ts";
import { BACKEND } from "./deliveries.ts";
import type { Random } from "./random.ts";

export interface ShopOrder {
  readonly orderId: string;
  readonly vendorId: string;
}

/** The backend's side of an order once it was accepted. */
export interface Kitchen {
  /** Tells the platform how far an order is. */
  tell(order: ShopOrder, status: PostOrderStatus["status"]): Promise<void>;
  /** From the first pot to the packed bag. */
  prepare(order: ShopOrder): Promise<void>;
}

export function openKitchen(world: { api: Api; clock: Clock; random: Random }): Kitchen {
  const { api, clock } = world;
  const random = world.random.fork("kitchen");

  async function tell(order: ShopOrder, status: PostOrderStatus["status"]): Promise<void> {
    const path = `/api/vendor/${order.vendorId}/orders/${order.orderId}/status`;
    await api.send({ method: "POST", path, as: BACKEND, body: { status } });
  }

  return {
    tell,
    async prepare(order) {
      const [startsAfter, takes] = [random.between(2, 6), random.between(12, 35)];
      await clock.pass(startsAfter);
      await tell(order, "preparing");
      await clock.pass(takes);
      await tell(order, "ready");
    },
  };
}

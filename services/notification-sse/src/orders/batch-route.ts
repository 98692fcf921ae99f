import { type VendorId, vendorIdSchema } from "@localstreet/contracts/ids";
import { orderSchema } from "@localstreet/contracts/order";
import {
  ORDERS_PER_BATCH,
  type OrdersAccepted,
  type OrderVerdict,
  postOrdersSchema,
} from "@localstreet/contracts/order-answers";
import { invalidRequest, Problem } from "@localstreet/contracts/problem";
import { parseRequest, problemOf } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { z } from "zod";
import type { NotificationConfig } from "../config.ts";
import type { Devices } from "./devices.ts";
import type { PlaceOrder } from "./place-order.ts";

const paramsSchema = z.object({ vendorId: vendorIdSchema });
/** Each order is checked on its own. */
const envelopeSchema = postOrdersSchema.extend({
  orders: z.array(z.unknown()).min(1).max(ORDERS_PER_BATCH),
});

/** Publishes of one batch that are under way at the same time: none of them keeps others from the bus. */
const PUBLISHES_AT_ONCE = 32;

/** `POST /api/vendor/{vendorId}/orders/batch` (PROTOCOL.md S19). */
export function registerBatchRoute(
  { http, authenticator, config }: ServiceKit<NotificationConfig>,
  { placeOrder, devices }: { placeOrder: PlaceOrder; devices: Devices },
): void {
  http.post(
    "/api/vendor/:vendorId/orders/batch",
    { bodyLimit: config.BATCH_BYTES },
    async (request, reply) => {
      await authenticator.authenticate(request, "service");
      const { vendorId } = parseRequest(paramsSchema, request.params, "The path");
      const { orders } = parseRequest(envelopeSchema, request.body, "The body");
      const [results, deviceCount] = await Promise.all([
        placeAll(vendorId, orders),
        devices.count(vendorId),
      ]);
      // Whoever repeats requests by their status repeats this one.
      const isRefused = results.some(({ status }) => status === "unavailable");
      if (
        isRefused &&
        results.every(({ status }) => status === "unavailable" || status === "invalid")
      ) {
        throw new Problem("unavailable", undefined, { retryAfterMs: 1_000 });
      }
      const accepted: OrdersAccepted = { results, devices: deviceCount };
      return reply.send(accepted);
    },
  );

  async function placeAll(vendorId: VendorId, orders: readonly unknown[]): Promise<OrderVerdict[]> {
    const verdicts = new Array<OrderVerdict>(orders.length);
    const underWay = new Map<string, Promise<unknown>>();
    const entries = orders.entries();
    let isAway = false;

    async function place(value: unknown): Promise<OrderVerdict> {
      const orderId = orderIdOf(value);
      const checked = orderSchema.safeParse(value);
      if (!checked.success) {
        return { orderId, status: "invalid", issues: invalidRequest(checked.error).issues };
      }
      // What is too much for the route of one order would be too much for an outbox as well.
      if (Buffer.byteLength(JSON.stringify(value)) > config.BODY_BYTES) {
        const message = `must not be larger than ${config.BODY_BYTES} bytes`;
        return { orderId, status: "invalid", issues: [{ path: "", message }] };
      }
      if (isAway) return { orderId, status: "unavailable" };
      // The same order twice: the second is judged by what was stored of the first.
      const before = underWay.get(checked.data.orderId);
      const placing = Promise.resolve(before).then(() => placeOrder(vendorId, checked.data));
      underWay.set(
        checked.data.orderId,
        placing.catch(() => {}),
      );
      try {
        const { status, id } = await placing;
        return status === "conflict" ? { orderId, status } : { orderId, status, id };
      } catch (error) {
        if (problemOf(error).code !== "unavailable") throw error;
        // The others would wait as long, one after another.
        isAway = true;
        return { orderId, status: "unavailable" };
      }
    }

    async function worker(): Promise<void> {
      for (const [index, value] of entries) verdicts[index] = await place(value);
    }
    await Promise.all(Array.from({ length: PUBLISHES_AT_ONCE }, worker));
    return verdicts;
  }
}

/** The `orderId` that was sent, valid or not, so that a sender finds its order again. */
function orderIdOf(value: unknown): string | null {
  const orderId = (value as { orderId?: unknown } | null)?.orderId;
  return typeof orderId === "string" ? orderId : null;
}

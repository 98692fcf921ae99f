import { vendorIdSchema } from "@localstreet/contracts/ids";
import { type OrderAccepted, orderSchema } from "@localstreet/contracts/order";
import { Problem } from "@localstreet/contracts/problem";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { z } from "zod";
import type { Devices } from "./devices.ts";
import type { PlaceOrder } from "./place-order.ts";

const paramsSchema = z.object({ vendorId: vendorIdSchema });

/** `POST /api/vendor/{vendorId}/orders` (PROTOCOL.md S1 to S3, S18). */
export function registerOrderRoute(
  { http, authenticator }: ServiceKit,
  { placeOrder, devices }: { placeOrder: PlaceOrder; devices: Devices },
): void {
  http.post("/api/vendor/:vendorId/orders", async (request, reply) => {
    await authenticator.authenticate(request, "service");
    const { vendorId } = parseRequest(paramsSchema, request.params, "The path");
    const order = parseRequest(orderSchema, request.body, "The body");
    const [placed, deviceCount] = await Promise.all([
      placeOrder(vendorId, order),
      devices.count(vendorId),
    ]);
    if (placed.status === "conflict") throw new Problem("conflict");
    const accepted: OrderAccepted = {
      id: placed.id,
      duplicate: placed.status === "duplicate",
      devices: deviceCount,
    };
    return reply.code(202).send(accepted);
  });
}

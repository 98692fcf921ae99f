import type { Deliveries } from "@localstreet/bus/deliveries";
import { deliveryIdSchema } from "@localstreet/contracts/ids";
import { Problem } from "@localstreet/contracts/problem";
import { deliverySchema, isFinal } from "@localstreet/contracts/tracking";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { z } from "zod";
import type { TrackingFanoutConfig } from "./config.ts";
import { isParty } from "./delivery-access.ts";
import { driverAt } from "./driver-state.ts";
import type { Positions } from "./positions.ts";

const paramsSchema = z.object({ deliveryId: deliveryIdSchema });

/** `PUT` and `GET /api/deliveries/{deliveryId}` (PROTOCOL.md T3, T4). */
export function registerDeliveryRoutes(
  kit: ServiceKit<TrackingFanoutConfig>,
  { deliveries, positions }: { deliveries: Deliveries; positions: Positions },
): void {
  const { http, authenticator } = kit;

  http.put("/api/deliveries/:deliveryId", async (request, reply) => {
    await authenticator.authenticate(request, "service");
    const { deliveryId } = parseRequest(paramsSchema, request.params, "The path");
    const delivery = parseRequest(deliverySchema, request.body, "The body");
    const outcome = await deliveries.put(deliveryId, delivery);
    if (outcome === "backwards") {
      throw new Problem("conflict", "The status of a delivery only moves forward");
    }
    return reply.code(outcome === "created" ? 201 : 200).send({ deliveryId, ...delivery });
  });

  http.get("/api/deliveries/:deliveryId", async (request, reply) => {
    const principal = await authenticator.authenticate(request, "buyer", "vendor", "service");
    const { deliveryId } = parseRequest(paramsSchema, request.params, "The path");
    const delivery = await deliveries.find(deliveryId);
    if (!delivery || !(principal.role === "service" || isParty(principal, delivery))) {
      throw new Problem("not-found");
    }
    // Once a delivery is over, where its driver is now is nobody's business.
    const position = isFinal(delivery.status) ? null : await positions.newest(delivery.driverId);
    return reply
      .header("cache-control", "no-store")
      .send({ deliveryId, ...delivery, driver: driverAt(position, Date.now()) });
  });
}

import type { Bus } from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import type { SubjectFeed } from "@localstreet/bus/subject-feed";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import { type OrderAccepted, orderSchema } from "@localstreet/contracts/order";
import { Problem } from "@localstreet/contracts/problem";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter } from "prom-client";
import { z } from "zod";

const paramsSchema = z.object({ vendorId: vendorIdSchema });

/** `POST /api/vendor/{vendorId}/orders` (PROTOCOL.md S1 to S3). */
export function registerOrderRoute(
  { http, authenticator, metrics }: ServiceKit,
  { bus, feed }: { bus: Bus; feed: SubjectFeed },
): void {
  const published = new Counter({
    name: "localstreet_orders_published_total",
    help: "Orders by what the log said: unavailable ones were refused and may be sent again",
    labelNames: ["outcome"],
    registers: [metrics],
  });

  http.post("/api/vendor/:vendorId/orders", async (request, reply) => {
    await authenticator.authenticate(request, "service");
    const { vendorId } = parseRequest(paramsSchema, request.params, "The path");
    const order = parseRequest(orderSchema, request.body, "The body");
    const { status, id } = await publishVendorEvent(bus, {
      vendorId,
      kind: "new-order",
      data: { ...order, vendorId, placedAt: new Date().toISOString() },
    }).catch((error) => {
      published.inc({ outcome: "unavailable" });
      throw error;
    });
    published.inc({ outcome: status });
    if (status === "conflict") throw new Problem("conflict");
    // Whoever repeats an order has not seen it arrive.
    if (status === "duplicate") feed.checkSoon(vendorOrdersSubject(vendorId));
    const accepted: OrderAccepted = { id, duplicate: status === "duplicate" };
    return reply.code(202).send(accepted);
  });
}

import type { Bus } from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import type { SubjectFeed } from "@localstreet/bus/subject-feed";
import { orderIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { type OrderDecision, postAcknowledgementSchema } from "@localstreet/contracts/order";
import type { Acknowledged } from "@localstreet/contracts/order-answers";
import { Problem } from "@localstreet/contracts/problem";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { requireVendor } from "@localstreet/service-kit/auth";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter } from "prom-client";
import { z } from "zod";
import { alreadyDecided, decisionOfEvent } from "./order-decisions.ts";
import type { LookUpOrder } from "./order-lookup.ts";

const paramsSchema = z.object({ vendorId: vendorIdSchema, orderId: orderIdSchema });

/**
 * `POST /api/vendor/{vendorId}/orders/{orderId}/ack` (PROTOCOL.md S20 to S22). What decides an order has one
 * `Nats-Msg-Id`, so the log says who was first; the lookup is for what the log has forgotten, and for what never was.
 */
export function registerAckRoute(
  { http, authenticator, metrics }: ServiceKit,
  { bus, feed, lookUp }: { bus: Bus; feed: SubjectFeed; lookUp: LookUpOrder },
): void {
  const acknowledged = new Counter({
    name: "localstreet_order_acknowledgements_total",
    help: "What devices said of orders, by what became of it",
    labelNames: ["state", "outcome"],
    registers: [metrics],
  });

  http.post("/api/vendor/:vendorId/orders/:orderId/ack", async (request, reply) => {
    const principal = await authenticator.authenticate(request, "vendor");
    const { vendorId, orderId } = parseRequest(paramsSchema, request.params, "The path");
    requireVendor(principal, vendorId);
    const { state } = parseRequest(postAcknowledgementSchema, request.body, "The body");
    const isAnswer = state === "accepted" || state === "rejected";

    function answer(outcome: { id: string | null; duplicate: boolean }) {
      acknowledged.inc({ state, outcome: outcome.duplicate ? "duplicate" : "stored" });
      const body: Acknowledged = { id: outcome.id, state, duplicate: outcome.duplicate };
      return reply.send(body);
    }
    /** The order was decided, by this answer or by something else. */
    function decided(id: string | null, winner: OrderDecision) {
      if (winner.state === state) return answer({ id, duplicate: true });
      acknowledged.inc({ state, outcome: "lost" });
      throw alreadyDecided(winner);
    }

    const found = await lookUp(vendorId, orderId);
    if (found.status === "missing") throw new Problem("not-found");
    if (found.status === "found") {
      if (isAnswer && found.decision) return decided(null, found.decision);
      const isKnown = state === "seen" ? found.seen : found.received;
      if (!isAnswer && isKnown) return answer({ id: null, duplicate: true });
    }
    const published = await publishVendorEvent(bus, {
      vendorId,
      kind: "order-acknowledged",
      data: { orderId, vendorId, at: new Date().toISOString(), state, by: principal.personId },
    });
    const { status, id } = published;
    if (status === "stored") return answer({ id, duplicate: false });
    // Whoever repeats it has not seen it arrive.
    feed.checkSoon(vendorOrdersSubject(vendorId));
    const winner = status === "conflict" && isAnswer ? decisionOfEvent(published.winner) : null;
    return winner ? decided(id, winner) : answer({ id, duplicate: true });
  });
}

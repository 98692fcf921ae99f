import type { Bus } from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import type { SubjectFeed } from "@localstreet/bus/subject-feed";
import { orderIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { type OrderDecision, postOrderStatusSchema } from "@localstreet/contracts/order";
import type { StatusStored } from "@localstreet/contracts/order-answers";
import { Problem } from "@localstreet/contracts/problem";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { z } from "zod";
import { alreadyDecided, decisionOfEvent } from "./order-decisions.ts";
import type { LookUpOrder } from "./order-lookup.ts";

const paramsSchema = z.object({ vendorId: vendorIdSchema, orderId: orderIdSchema });

/** `POST /api/vendor/{vendorId}/orders/{orderId}/status` (PROTOCOL.md S23, S24). */
export function registerStatusRoute(
  { http, authenticator }: ServiceKit,
  { bus, feed, lookUp }: { bus: Bus; feed: SubjectFeed; lookUp: LookUpOrder },
): void {
  http.post("/api/vendor/:vendorId/orders/:orderId/status", async (request, reply) => {
    await authenticator.authenticate(request, "service");
    const { vendorId, orderId } = parseRequest(paramsSchema, request.params, "The path");
    const { status, eventId } = parseRequest(postOrderStatusSchema, request.body, "The body");
    const isAnswer = status === "accepted" || status === "rejected";
    const isPastAccepted = !isAnswer && status !== "cancelled";

    function answer(id: string | null, duplicate: boolean) {
      const body: StatusStored = { id, status, duplicate };
      return reply.code(202).send(body);
    }
    function decided(id: string | null, winner: OrderDecision) {
      if (winner.state !== status) throw alreadyDecided(winner);
      return answer(id, true);
    }

    // A backend knows its orders, so whether there is one is not asked; but an answer may be one too late.
    const found = status === "cancelled" ? null : await lookUp(vendorId, orderId);
    const decision = found?.status === "found" ? found.decision : null;
    if (decision && isAnswer) return decided(null, decision);
    if (isPastAccepted) await accept(decision);
    const published = await publishVendorEvent(bus, {
      vendorId,
      kind: "order-updated",
      data: { orderId, vendorId, at: new Date().toISOString(), status },
      eventId,
    });
    const { status: outcome, id } = published;
    if (outcome === "stored") return answer(id, false);
    feed.checkSoon(vendorOrdersSubject(vendorId));
    const winner = outcome === "conflict" && isAnswer ? decisionOfEvent(published.winner) : null;
    if (winner) return decided(id, winner);
    if (outcome === "conflict") {
      throw new Problem("conflict", "Another status was stored under this eventId");
    }
    return answer(id, true);

    /** What is being prepared or delivered was accepted: the log is told so first, so that nothing else decides it. */
    async function accept(known: OrderDecision | null): Promise<void> {
      let winner = known;
      if (!winner) {
        const accepted = await publishVendorEvent(bus, {
          vendorId,
          kind: "order-updated",
          data: { orderId, vendorId, at: new Date().toISOString(), status: "accepted" },
        });
        winner = accepted.status === "conflict" ? decisionOfEvent(accepted.winner) : null;
      }
      if (winner && winner.state !== "accepted") throw alreadyDecided(winner);
    }
  });
}

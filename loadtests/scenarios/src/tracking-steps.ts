import type { HttpResponse, Metrics, RequestParams, VisitContext } from "./artillery.ts";
import { duringVisit, endVisit, requireStatus, type Visit } from "./visits.ts";

const COURIER = { lat: 57.7089, lng: 11.9746 };
const DESTINATION = { lat: 57.70455, lng: 11.96955 };

export async function writeAssignedDelivery(
  request: RequestParams,
  context: VisitContext,
): Promise<void> {
  await duringVisit(context, (visit) => {
    request.json = deliveryOf(visit, "assigned");
  });
}

export async function expectDeliveryCreated(
  _request: RequestParams,
  response: HttpResponse,
  context: VisitContext,
): Promise<void> {
  await duringVisit(context, ({ visitor }) => {
    requireStatus(response, 201, `delivery ${visitor.deliveryId}`);
  });
}

export async function watchDelivery(context: VisitContext): Promise<void> {
  await duringVisit(context, async (visit) => {
    const { deliveryId } = visit.visitor;
    visit.watch = await visit.visitor.openSocket("/api/tracking/ws", "buyer");
    await visit.watch.send({ type: "watch-delivery", deliveryId });
  });
}

export async function writeFix(
  request: RequestParams,
  context: VisitContext,
  metrics: Metrics,
): Promise<void> {
  await duringVisit(context, (visit) => {
    request.json = { ...COURIER, recordedAt: new Date().toISOString(), accuracy: 5 };
    visit.sentAtMs = performance.now();
    metrics.emit("counter", "smoke.fixes.sent", 1);
  });
}

export async function expectFixAccepted(
  _request: RequestParams,
  response: HttpResponse,
  context: VisitContext,
): Promise<void> {
  await duringVisit(context, ({ visitor }) => {
    requireStatus(response, 204, `the fix of ${visitor.driverId}`);
  });
}

export async function expectFix(context: VisitContext, metrics: Metrics): Promise<void> {
  await duringVisit(context, async ({ visitor, watch, sentAtMs }) => {
    await watch?.frames.expect(
      `the fix of ${visitor.driverId} to who watches ${visitor.deliveryId}`,
      (push) =>
        push.type === "location-update" && push.lat === COURIER.lat && push.lng === COURIER.lng,
    );
    metrics.emit("counter", "smoke.fixes.arrived", 1);
    metrics.emit("histogram", "smoke.fixes.ms", performance.now() - sentAtMs);
  });
}

export async function writeEndedDelivery(
  request: RequestParams,
  context: VisitContext,
): Promise<void> {
  await duringVisit(context, (visit) => {
    request.json = deliveryOf(visit, "delivered");
  });
}

export async function expectDeliveryUpdated(
  _request: RequestParams,
  response: HttpResponse,
  context: VisitContext,
): Promise<void> {
  await duringVisit(context, ({ visitor }) => {
    requireStatus(response, 200, `the end of delivery ${visitor.deliveryId}`);
  });
}

/** Last step of all: who watches hears of the end, and the visit is over. */
export async function expectEnd(context: VisitContext, metrics: Metrics): Promise<void> {
  await duringVisit(context, async (visit) => {
    await visit.watch?.frames.expect(
      `the end of delivery ${visit.visitor.deliveryId}`,
      (push) => push.type === "delivery-updated" && push.status === "delivered",
    );
    metrics.emit("counter", "smoke.visits.whole", 1);
    endVisit(visit);
  });
}

function deliveryOf({ visitor }: Visit, status: "assigned" | "delivered") {
  return {
    driverId: visitor.driverId,
    buyerId: visitor.buyerId,
    vendorId: visitor.vendorId,
    orderId: `${visitor.orderId}-1`,
    destination: DESTINATION,
    status,
  };
}

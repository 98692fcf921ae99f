import type { HttpResponse, Metrics, RequestParams, VisitContext } from "./artillery.ts";
import { createVisitor } from "./visitor.ts";
import { beginVisit, duringVisit, requireStatus } from "./visits.ts";

/** First step of all: a vendor at its desk, with the stream of orders and the dashboard's. */
export async function openVendorStreams(context: VisitContext): Promise<void> {
  const { target } = context.vars;
  const { AUTH_JWT_SECRET: secret, AUTH_ISSUER: issuer } = process.env;
  if (typeof target !== "string" || !secret) throw new Error("no target, or no AUTH_JWT_SECRET");
  const visitor = await createVisitor({ target, secret, issuer });
  try {
    const desk = `/api/vendor/${visitor.vendorId}`;
    const [orders, dashboard] = await Promise.all([
      visitor.openStream(`${desk}/notifications/stream`),
      visitor.openStream(`${desk}/activity/stream`),
    ]);
    beginVisit(context, {
      visitor,
      orders,
      dashboard,
      acceptedOrders: [],
      sentAtMs: 0,
      watch: undefined,
    });
  } catch (error) {
    visitor.leave();
    throw error;
  }
}

export async function writeOrder(
  request: RequestParams,
  context: VisitContext,
  metrics: Metrics,
): Promise<void> {
  await duringVisit(context, (visit) => {
    const { visitor, acceptedOrders } = visit;
    request.json = {
      orderId: `${visitor.orderId}-${acceptedOrders.length + 1}`,
      buyerId: visitor.buyerId,
      items: [{ name: "Cinnamon bun", quantity: 2, unitPrice: 3_500 }],
      total: 7_000,
      currency: "SEK",
    };
    visit.sentAtMs = performance.now();
    metrics.emit("counter", "smoke.orders.sent", 1);
  });
}

export async function expectOrderAccepted(
  _request: RequestParams,
  response: HttpResponse,
  context: VisitContext,
): Promise<void> {
  await duringVisit(context, ({ visitor, acceptedOrders, sentAtMs }) => {
    const orderId = `${visitor.orderId}-${acceptedOrders.length + 1}`;
    requireStatus(response, 202, `order ${orderId}`);
    const { id } = JSON.parse(String(response.body)) as { id: string };
    acceptedOrders.push({ orderId, id, sentAtMs });
  });
}

/** Every order on both streams, once, in order, under the id that its sender was told. */
export async function expectOrders(context: VisitContext, metrics: Metrics): Promise<void> {
  await duringVisit(context, async ({ orders, dashboard, acceptedOrders }) => {
    const streams = [
      ["the vendor's stream", orders],
      ["the dashboard", dashboard],
    ] as const;
    for (const [name, stream] of streams) {
      for (const { orderId, id, sentAtMs } of acceptedOrders) {
        const { atMs } = await stream.expect(
          `order ${orderId} on ${name}`,
          (heard) =>
            heard.event === "new-order" && heard.id === id && heard.data.orderId === orderId,
        );
        if (stream !== orders) continue;
        metrics.emit("counter", "smoke.orders.arrived", 1);
        metrics.emit("histogram", "smoke.orders.ms", atMs - sentAtMs);
      }
      const heard = stream.all.filter(({ event }) => event === "new-order").map(({ id }) => id);
      const accepted = acceptedOrders.map(({ id }) => id);
      if (heard.join() !== accepted.join()) {
        throw new Error(`${name} had the orders ${heard.join()} instead of ${accepted.join()}`);
      }
    }
  });
}

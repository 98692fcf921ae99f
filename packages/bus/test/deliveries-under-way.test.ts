import { openDeliveries } from "@localstreet/bus/deliveries";
import { openDeliveriesUnderWay } from "@localstreet/bus/deliveries-under-way";
import { deliveryIdSchema } from "@localstreet/contracts/ids";
import { type DeliveryStatus, deliverySchema } from "@localstreet/contracts/tracking";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { startMarketplace, vendor } from "./marketplace.ts";

test("S38 S41: a vendor's deliveries under way are counted, and each change is told once, over restarts of NATS", async () => {
  await using market = await startMarketplace();
  const deliveries = await openDeliveries(await market.connect("tracking-fanout"));
  const put = (id: string, vendorId: string, status: DeliveryStatus) =>
    deliveries.put(
      deliveryIdSchema.parse(id),
      deliverySchema.parse({
        driverId: "dan",
        buyerId: "ana",
        vendorId,
        orderId: `o-${id}`,
        destination: { lat: 57.7, lng: 11.97 },
        status,
      }),
    );
  await put("d1", "bakery", "assigned");
  await put("d2", "bakery", "delivered");
  await put("d3", "fish", "arriving");

  const told: string[] = [];
  const underWay = openDeliveriesUnderWay({
    bus: await market.connect("notification-sse"),
    onChange: (deliveryId, { status }) => told.push(`${deliveryId} ${status}`),
    checkMs: 100,
  });
  const untilCounts = (bakery: number, fish: number) =>
    until(
      () =>
        underWay.countOf(vendor("bakery")) === bakery && underWay.countOf(vendor("fish")) === fish,
      { what: `${bakery} and ${fish} under way`, timeoutMs: 10_000 },
    );
  expect(underWay.countOf(vendor("bakery"))).toBeNull();
  await untilCounts(1, 1);
  await put("d1", "bakery", "picked_up");
  await put("d4", "bakery", "assigned");
  await untilCounts(2, 1);
  await put("d1", "bakery", "delivered");
  await untilCounts(1, 1);

  await market.nats.kill();
  await market.nats.start();
  await until(async () => (await put("d3", "fish", "delivered").catch(() => null)) !== null, {
    what: "the bucket takes values again",
    timeoutMs: 10_000,
  });
  await untilCounts(1, 0);
  await until(() => told.includes("d3 delivered"), { what: "the last change is told" });
  expect(told).toEqual(["d1 picked_up", "d4 assigned", "d1 delivered", "d3 delivered"]);

  await market.recreateDeliveries();
  await untilCounts(0, 0);
  underWay.close();
  deliveries.close();
});

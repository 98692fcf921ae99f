import { type Bus, type ConnectBusOptions, connectBus } from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { ensureStreams, type StreamSettings } from "@localstreet/bus/streams";
import {
  eventKeySchema,
  orderIdSchema,
  personIdSchema,
  vendorIdSchema,
} from "@localstreet/contracts/ids";
import type { NewOrder } from "@localstreet/contracts/order";
import { startTestStores } from "@localstreet/testkit/stores";

/** A NATS server with the platform's streams, and buses of its users that are closed with it. */
export async function startMarketplace(settings: StreamSettings = {}) {
  const stores = await startTestStores({ nats: true });
  const buses: Bus[] = [];

  async function connect(
    user: Parameters<typeof stores.nats.as>[0],
    options: Partial<ConnectBusOptions> = {},
  ): Promise<Bus> {
    const bus = await connectBus({ ...stores.nats.as(user), name: `test-${user}`, ...options });
    buses.push(bus);
    return bus;
  }

  const admin = await connect("admin");
  await ensureStreams(admin, settings);
  return {
    nats: stores.nats,
    admin,
    connect,
    async [Symbol.asyncDispose]() {
      await Promise.all(buses.map((bus) => bus.close()));
      await stores.stop();
    },
  };
}

export const vendor = (text: string) => vendorIdSchema.parse(text);

export function order(vendorId: string, orderId: string, more: Partial<NewOrder> = {}): NewOrder {
  return {
    orderId: orderIdSchema.parse(orderId),
    vendorId: vendor(vendorId),
    buyerId: personIdSchema.parse("buyer-1"),
    items: [{ name: "Bread", quantity: 1, unitPrice: 350 }],
    total: 350,
    currency: "EUR",
    placedAt: new Date().toISOString(),
    ...more,
  };
}

export function publishOrder(
  bus: Bus,
  vendorId: string,
  orderId: string,
  more: Partial<NewOrder> = {},
) {
  return publishVendorEvent(bus, {
    vendorId: vendor(vendorId),
    kind: "new-order",
    eventKey: eventKeySchema.parse(orderId),
    data: order(vendorId, orderId, more),
  });
}

import {
  type Bus,
  type BusLogger,
  type ConnectBusOptions,
  connectBus,
} from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { ensureStreams, type StreamSettings } from "@localstreet/bus/streams";
import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import type { NewOrder } from "@localstreet/contracts/order";
import {
  DELIVERIES_BUCKET,
  VENDOR_STREAM,
  vendorOrdersSubject,
} from "@localstreet/contracts/subjects";
import { startTestStores } from "@localstreet/testkit/stores";
import { until } from "@localstreet/testkit/wait";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats, headers } from "@nats-io/transport-node";

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
  // Straight to the server, past the package under test: an operator's hands.
  const operator = await connectNats({
    servers: stores.nats.url,
    user: "admin",
    pass: stores.nats.as("admin").password,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  const { streams, consumers } = await jetstreamManager(operator);
  return {
    nats: stores.nats,
    admin,
    connect,
    streams,
    consumers,
    operator,
    async recreateDeliveries() {
      await until(() => admin.isConnected(), { what: "the admin is connected" });
      await streams.delete(`KV_${DELIVERIES_BUCKET}`);
      await ensureStreams(admin, settings);
    },
    async recreateVendorStream() {
      await streams.delete(VENDOR_STREAM);
      await ensureStreams(admin, settings);
    },
    /** The same log without a live copy: what `republish` below does not send is lost. */
    async stopRepublishing() {
      const { config } = await streams.info(VENDOR_STREAM);
      await streams.delete(VENDOR_STREAM);
      const { republish: _, ...rest } = config;
      await streams.add(rest);
    },
    /** Sends the live copy of a stored order as the server would. */
    republish(vendorId: string, sequence: number, previousSequence: number, orderId: string) {
      const subject = vendorOrdersSubject(vendor(vendorId));
      const copy = headers();
      copy.set("Nats-Msg-Id", `${vendorId}:new-order:${orderId}`);
      copy.set("Nats-Stream", VENDOR_STREAM);
      copy.set("Nats-Subject", subject);
      copy.set("Nats-Sequence", String(sequence));
      copy.set("Nats-Last-Sequence", String(previousSequence));
      operator.publish(`live.${subject}`, "{}", { headers: copy });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([operator.close(), ...buses.map((bus) => bus.close())]);
      await stores.stop();
    },
  };
}

export type Marketplace = Awaited<ReturnType<typeof startMarketplace>>;

export const quiet: BusLogger = { info() {}, warn() {}, error() {} };

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
    data: order(vendorId, orderId, more),
  });
}

import { type Bus, connectBus } from "@localstreet/bus/connection";
import { ensureStreams } from "@localstreet/bus/streams";
import type { StoreUser } from "@localstreet/contracts/grants";
import { type DeliveryId, deliveryIdSchema, personIdSchema } from "@localstreet/contracts/ids";
import { type Delivery, deliverySchema, type Fix } from "@localstreet/contracts/tracking";
import { readConfig } from "@localstreet/service-kit/config";
import { type RunningService, startService } from "@localstreet/service-kit/service";
import { startTestStores } from "@localstreet/testkit/stores";
import { TEST_SECRET, tokenFor } from "@localstreet/testkit/tokens";
import { openSocket, type ServerFrame, type SocketClient } from "@localstreet/testkit/ws-client";
import { Redis } from "ioredis";
import { buildApp } from "../src/app.ts";
import { trackingFanoutConfigSchema } from "../src/config.ts";
import { type IngestProcess, startIngestProcess } from "./ingest-process.ts";

export type Stores = Awaited<ReturnType<typeof startTestStores<{ nats: true; redis: true }>>>;

/** Both tracking services on stores of their own, the fan-out twice. */
export interface Tracking {
  readonly stores: Stores;
  /** The stores' admin, to look at what the services did. */
  readonly bus: Bus;
  readonly redis: Redis;
  /** Twice the same one, unless two were asked for. */
  readonly ingest: readonly [IngestProcess, IngestProcess];
  readonly fanout: readonly [RunningService, RunningService];
  stop(): Promise<void>;
}

export async function startTracking(
  env: Record<string, string> = {},
  ingestReplicas: 1 | 2 = 1,
): Promise<Tracking> {
  const stores = await startTestStores({ nats: true, redis: true });
  const bus = await connectBus({ ...stores.nats.as("admin"), name: "test" });
  await ensureStreams(bus);
  const redis = new Redis(stores.redis.url("admin"));
  redis.on("error", () => {});

  const envOf = (name: StoreUser, number: number) => {
    const nats = stores.nats.as(name);
    return {
      PORT: "0",
      ADMIN_PORT: "0",
      REPLICA_NAME: `${name}-${number}`,
      LOG_LEVEL: "silent",
      DRAIN_MS: "0",
      AUTH_JWT_SECRET: TEST_SECRET,
      NATS_URL: nats.servers.join(","),
      NATS_USER: nats.user,
      NATS_PASSWORD: nats.password,
      REDIS_URL: stores.redis.url(name),
      FIXES_PER_SECOND: "10000",
      CONNECTIONS_PER_USER: "10000",
      REQUESTS_PER_SECOND: "10000",
      REQUESTS_BURST: "10000",
      OPENINGS_PER_SECOND: "10000",
      OPENINGS_BURST: "10000",
      FIXES_BURST: "10000",
      ...env,
    };
  };
  const fanout = (number: number) =>
    startService({
      name: "tracking-fanout",
      config: readConfig(trackingFanoutConfigSchema, envOf("tracking-fanout", number)),
      buildApp,
    });
  const ingest = (number: number) => startIngestProcess(envOf("tracking-ingest", number));
  const [one, two, three, four] = await Promise.all([
    fanout(1),
    fanout(2),
    ingest(1),
    ingestReplicas === 2 ? ingest(2) : undefined,
  ]);
  return {
    stores,
    bus,
    redis,
    ingest: [three, four ?? three],
    fanout: [one, two],
    async stop() {
      await Promise.all([one, two, three, four].map((service) => service?.stop()));
      await bus.close();
      redis.disconnect();
      await stores.stop();
    },
  };
}

let deliveries = 0;

/** A delivery that no other test knows, with people of its own. */
export function newDelivery(): { deliveryId: DeliveryId; delivery: Delivery } {
  deliveries += 1;
  return {
    deliveryId: deliveryIdSchema.parse(`delivery-${deliveries}`),
    delivery: deliverySchema.parse({
      driverId: `driver-${deliveries}`,
      buyerId: `buyer-${deliveries}`,
      vendorId: `vendor-${deliveries}`,
      orderId: `order-${deliveries}`,
      destination: { lat: 57.7, lng: 11.97 },
      status: "assigned",
    }),
  };
}

export async function putDelivery(
  service: RunningService,
  deliveryId: string,
  body: unknown,
  token?: string,
): Promise<Response> {
  return await fetch(`${service.url}/api/deliveries/${deliveryId}`, {
    method: "PUT",
    headers: {
      authorization: `Bearer ${token ?? (await tokenFor({ role: "service", sub: "backend" }))}`,
      "content-type": "application/json",
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** A delivery that is stored, and known to every replica that is asked. */
export async function storeDelivery(
  service: RunningService,
  changes: Partial<Delivery> = {},
): Promise<{ deliveryId: DeliveryId; delivery: Delivery }> {
  const { deliveryId, delivery } = newDelivery();
  const stored = { ...delivery, ...changes };
  const response = await putDelivery(service, deliveryId, stored);
  if (response.status !== 201) throw new Error(`PUT was answered with ${response.status}`);
  return { deliveryId, delivery: stored };
}

let lastFixMs = 0;

/** Unless it says when it was recorded, a fix is newer than every other of this file. */
export async function postFix(
  service: IngestProcess,
  driverId: string,
  fix: Partial<Fix>,
): Promise<number> {
  lastFixMs = Math.max(Date.now(), lastFixMs + 1);
  const recordedAt = new Date(lastFixMs).toISOString();
  const response = await fetch(`${service.url}/api/driver/${driverId}/location`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await tokenFor({ role: "driver", sub: personIdSchema.parse(driverId) })}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ lat: 57.7, lng: 11.97, recordedAt, ...fix }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** A buyer's socket. */
export async function openAsBuyer(service: RunningService, buyerId: string): Promise<SocketClient> {
  const token = await tokenFor({ role: "buyer", sub: buyerId });
  return await openSocket(`${service.wsUrl}/api/tracking/ws`, { token });
}

/** Watches and returns the answer. */
export async function watch(
  client: SocketClient,
  deliveryId: string,
  after?: string,
): Promise<ServerFrame> {
  client.send({ type: "watch-delivery", ref: 1, deliveryId, ...(after ? { after } : {}) });
  return await client.next((frame) => frame.ref === 1);
}

/** A delivery whose buyer watches it, through another replica than the one that stored it. */
export async function startWatch(tracking: Tracking) {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const buyer = await openAsBuyer(tracking.fanout[1], delivery.buyerId);
  await watch(buyer, deliveryId);
  return { deliveryId, delivery, driverId: delivery.driverId, buyer };
}

export const isUpdate = (frame: { type: string }) => frame.type === "location-update";
export const timeAgo = (ms: number) => new Date(Date.now() - ms).toISOString();

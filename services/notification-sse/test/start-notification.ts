import { type Bus, connectBus } from "@localstreet/bus/connection";
import { ensureStreams } from "@localstreet/bus/streams";
import type { OrderAccepted } from "@localstreet/contracts/order";
import { migrateDatabase } from "@localstreet/db/migrate";
import { createDatabase } from "@localstreet/db/pool";
import { grantRoles } from "@localstreet/db/roles";
import { readConfig } from "@localstreet/service-kit/config";
import { type RunningService, startService } from "@localstreet/service-kit/service";
import { type EventStream, openEventStream } from "@localstreet/testkit/sse-client";
import { startTestStores } from "@localstreet/testkit/stores";
import { TEST_SECRET, tokenFor } from "@localstreet/testkit/tokens";
import { buildApp } from "../src/app.ts";
import { notificationConfigSchema } from "../src/config.ts";
import { type ReplicaProcess, startReplicaProcess } from "./replica-process.ts";

export interface Notification {
  readonly stores: Awaited<
    ReturnType<typeof startTestStores<{ nats: true; redis: true; postgres: true }>>
  >;
  /** The stores' admin. */
  readonly bus: Bus;
  readonly replicas: readonly [RunningService, RunningService];
  /** One more replica, with settings of its own. */
  startReplica(env?: Record<string, string>): Promise<RunningService>;
  /** One more in a process of its own, ended by `stop` at the latest. */
  startProcess(env?: Record<string, string>): Promise<ReplicaProcess>;
  stop(): Promise<void>;
}

const DATABASE = "localstreet";

/** Two replicas of the service on stores of their own. */
export async function startNotification(env: Record<string, string> = {}): Promise<Notification> {
  const stores = await startTestStores({ nats: true, redis: true, postgres: true });
  const { postgres } = stores;
  await createDatabase(postgres.url("admin"), DATABASE);
  await migrateDatabase({ url: postgres.url("admin", DATABASE) });
  await grantRoles({ url: postgres.url("admin", DATABASE), passwords: postgres.passwords });
  const bus = await connectBus({ ...stores.nats.as("admin"), name: "test" });
  await ensureStreams(bus);
  const nats = stores.nats.as("notification-sse");
  const started: RunningService[] = [];
  const processes: ReplicaProcess[] = [];

  function environment(more: Record<string, string>): Record<string, string> {
    return {
      PORT: "0",
      ADMIN_PORT: "0",
      REPLICA_NAME: `notification-sse-${started.length + processes.length + 1}`,
      LOG_LEVEL: "silent",
      DRAIN_MS: "0",
      CONNECTIONS_PER_USER: "10000",
      REQUESTS_PER_SECOND: "10000",
      REQUESTS_BURST: "10000",
      OPENINGS_PER_SECOND: "10000",
      OPENINGS_BURST: "10000",
      AUTH_JWT_SECRET: TEST_SECRET,
      LEASE_MS: "2000",
      LEASE_REFRESH_MS: "200",
      DEVICES_CACHE_MS: "0",
      // No test sees a reminder or an escalation that it does not expect.
      ORDER_REMIND_AFTER_MS: "3600000",
      ORDER_NOBODY_AFTER_MS: "3600000",
      ORDER_ESCALATE_AFTER_MS: "3600000",
      ORDER_EXPIRE_AFTER_MS: "7200000",
      NATS_URL: nats.servers.join(","),
      NATS_USER: nats.user,
      NATS_PASSWORD: nats.password,
      REDIS_URL: stores.redis.url("notification-sse"),
      DATABASE_URL: postgres.url("notification-sse", DATABASE),
      ...env,
      ...more,
    };
  }

  async function startReplica(more: Record<string, string> = {}): Promise<RunningService> {
    const service = await startService({
      name: "notification-sse",
      config: readConfig(notificationConfigSchema, environment(more)),
      buildApp,
    });
    started.push(service);
    return service;
  }

  return {
    stores,
    bus,
    replicas: [await startReplica(), await startReplica()],
    startReplica,
    async startProcess(more = {}) {
      const replica = await startReplicaProcess(environment(more));
      processes.push(replica);
      return replica;
    },
    async stop() {
      await Promise.all(processes.map((replica) => replica.kill()));
      await Promise.all(started.map((service) => service.stop()));
      await bus.close();
      await stores.stop();
    },
  };
}

let vendors = 0;
/** A vendor that no other test knows. */
export function newVendor(): string {
  vendors += 1;
  return `vendor-${vendors}`;
}

let orders = 0;
export function newOrder(changes: Record<string, unknown> = {}) {
  orders += 1;
  return {
    orderId: `order-${orders}`,
    buyerId: "ana",
    items: [{ name: "Kanelbulle", quantity: 2, unitPrice: 3_500 }],
    total: 7_000,
    currency: "SEK",
    ...changes,
  };
}

export async function postOrder(
  service: Pick<RunningService, "url">,
  vendorId: string,
  body: unknown = newOrder(),
  token?: string,
): Promise<Response> {
  return await fetch(`${service.url}/api/vendor/${encodeURIComponent(vendorId)}/orders`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token ?? (await tokenFor({ role: "service", sub: "backend" }))}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
}

/** An order that is stored; its event id. */
export async function storeOrder(
  service: Pick<RunningService, "url">,
  vendorId: string,
  body: unknown = newOrder(),
): Promise<string> {
  const response = await postOrder(service, vendorId, body);
  if (response.status !== 202) throw new Error(`POST was answered with ${response.status}`);
  return ((await response.json()) as OrderAccepted).id;
}

/** A vendor's stream, read past its `resume`. */
export async function openVendorStream(
  service: RunningService,
  vendorId: string,
  options: { lastEventId?: string; path?: string; token?: string } = {},
): Promise<EventStream & { resume: { status: string; to: string; replayed: number | null } }> {
  const token =
    options.token ?? (await tokenFor({ role: "vendor", sub: "sam", vendors: [vendorId] }));
  const stream = await openEventStream(
    `${service.url}/api/vendor/${vendorId}/${options.path ?? "notifications/stream"}`,
    { token, ...(options.lastEventId === undefined ? {} : { lastEventId: options.lastEventId }) },
  );
  const first = await stream.next();
  if (first.event !== "resume") throw new Error(`the first event is ${first.event}: ${first.data}`);
  return Object.assign(stream, { resume: JSON.parse(first.data) });
}

export const isOrder = (event: { event: string }) => event.event === "new-order";

/** The order ids that a stream has brought so far, in order. */
export function ordersOf(stream: EventStream): string[] {
  return stream.events.filter(isOrder).map(({ data }) => JSON.parse(data).orderId);
}

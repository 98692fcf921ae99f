import { pid } from "node:process";
import type { Platform } from "@localstreet/local/platform";
import type { PublisherSpec, SubscriberSpec } from "./generator/specs.ts";
import type { Lab } from "./lab.ts";

/** What stands before the digits in the two messages that are fanned out. */
export const ORDER_MARKER = '"total":1';
export const POSITION_MARKER = '"accuracy":1';

/** An order of about 200 bytes, as the stream carries it. */
export const ORDER_BODY =
  '{"orderId":"{run}-{digits}","buyerId":"ada","items":[{"name":"Cardamom bun","quantity":2,"unitPrice":3500}],' +
  '"total":1{digits},"currency":"SEK","vendorId":"{vendor}","placedAt":"2026-01-01T12:00:00.000Z"}';

/** A position as the bus carries it. */
export const POSITION_BODY =
  '{"lat":57.70887,"lng":11.97456,"accuracy":1{digits},"heading":270.5,"speed":8.4,' +
  '"recordedAt":"{time}","timestamp":"{time}"}';

/** The same as a watcher gets it. */
export const LOCATION_UPDATE_BODY = `{"type":"location-update","deliveryId":"d0-{n}",${POSITION_BODY.slice(1)}`;

/** Whether clients come through the gateway. */
export type Way = "direct" | "gateway";

export interface PlatformWay {
  readonly port: number;
  readonly pids: () => readonly number[];
}

/** Where clients of a service connect, and whose cost counts. */
export async function platformWay(
  lab: Lab,
  service: "notification-sse" | "chat-ws" | "tracking-ingest" | "tracking-fanout",
  way: Way,
): Promise<PlatformWay & { platform: Platform; servicePid: () => number }> {
  const platform = await lab.platform();
  const replica = platform.replica(`${service}-1`);
  const servicePid = () => replica.pid;
  const port = way === "gateway" ? platform.gateway.port : replica.port;
  const pids = () => (way === "gateway" ? [replica.pid, platform.gateway.pid] : [replica.pid]);
  return { platform, port, pids, servicePid };
}

/** Streams of vendors nobody has used before: `connections` over `topics` vendors. */
export async function vendorStreams(
  platform: Platform,
  options: { port: number; vendors: string; connections: number; topics: number },
): Promise<SubscriberSpec> {
  const values = await Promise.all(
    Array.from({ length: options.topics }, (_, topic) =>
      platform.signToken({
        role: "vendor",
        sub: `staff-${topic}`,
        vendors: [`${options.vendors}-${topic}`],
      }),
    ),
  );
  return {
    transport: "sse",
    ports: [options.port],
    path: `/api/vendor/${options.vendors}-{n}/notifications/stream`,
    connections: options.connections,
    topics: options.topics,
    tokens: { values, topicsEach: 1 },
    ready: "event: resume\ndata: ",
    steps: [{ until: "\n\n" }],
  };
}

/** A backend that publishes orders straight to the bus. */
export function orderPublisher(platform: Platform, vendors: string): PublisherSpec {
  const { user, password } = platform.stores.nats.as("admin");
  return {
    via: "nats",
    port: platform.stores.nats.port,
    user,
    password,
    subject: `vendor.${vendors}-{n}.orders`,
    messageId: `${vendors}-{n}:new-order:{run}-{digits}`,
  };
}

/** Watchers of deliveries that this creates: `connections` over `topics` deliveries with a driver each. */
export async function deliveryWatchers(
  platform: Platform,
  options: { port: number; deliveries: string; connections: number; topics: number },
): Promise<SubscriberSpec> {
  const { deliveries, topics } = options;
  const service = await platform.signToken({ role: "service", sub: "backend" });
  const url = platform.replica("tracking-fanout-1").url;
  let next = 0;
  const putInTurn = async () => {
    while (next < topics) {
      const topic = next++;
      const response = await fetch(`${url}/api/deliveries/${deliveries}-${topic}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${service}`, "content-type": "application/json" },
        body: JSON.stringify({
          driverId: `${deliveries}-driver-${topic}`,
          buyerId: "ada",
          vendorId: "bakery",
          orderId: "o1",
          destination: { lat: 57.7, lng: 11.9 },
          status: "picked_up",
        }),
        signal: AbortSignal.timeout(10_000),
      });
      if (!response.ok) throw new Error(`a delivery was refused: ${await response.text()}`);
      await response.body?.cancel();
    }
  };
  await Promise.all(Array.from({ length: 16 }, putInTurn));
  return {
    transport: "ws",
    ports: [options.port],
    path: "/api/tracking/ws",
    connections: options.connections,
    topics,
    tokens: {
      values: [await platform.signToken({ role: "buyer", sub: "ada" })],
      topicsEach: topics,
    },
    ready: "\r\n\r\n",
    steps: [
      {
        send: `{"type":"watch-delivery","deliveryId":"${deliveries}-{n}"}`,
        until: '"type":"watching"',
      },
    ],
    maySkip: true,
  };
}

/** An ingest service's signals, straight to the bus. */
export function positionPublisher(platform: Platform, deliveries: string): PublisherSpec {
  const { user, password } = platform.stores.nats.as("admin");
  return {
    via: "nats",
    port: platform.stores.nats.port,
    user,
    password,
    subject: `live.tracking.${deliveries}-driver-{n}`,
  };
}

/** How a baseline connects to the platform's own NATS, with subjects of its own. */
export async function natsEnv(lab: Lab, name: string): Promise<NodeJS.ProcessEnv> {
  const { nats } = (await lab.platform()).stores;
  const { user, password } = nats.as("admin");
  return {
    NATS_URL: nats.url,
    NATS_USER: user,
    NATS_PASSWORD: password,
    BENCH_NAME: `${name}-${pid}`,
  };
}

export async function natsTopicPublisher(lab: Lab, env: NodeJS.ProcessEnv): Promise<PublisherSpec> {
  const { nats } = (await lab.platform()).stores;
  const { user, password } = nats.as("admin");
  return {
    via: "nats",
    port: nats.port,
    user,
    password,
    subject: `bench.${env.BENCH_NAME}.{n}`,
  };
}

export async function redisEnv(lab: Lab): Promise<NodeJS.ProcessEnv> {
  return { REDIS_URL: (await lab.platform()).stores.redis.url("admin") };
}

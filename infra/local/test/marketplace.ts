import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type EventStream,
  openEventStream,
  type StreamEvent,
} from "@localstreet/testkit/sse-client";
import { TEST_SECRET } from "@localstreet/testkit/tokens";
import { openSocket, type SocketClient } from "@localstreet/testkit/ws-client";
import { type Platform, type PlatformOptions, startPlatform } from "../src/platform.ts";

/** A platform in a temporary folder, removed when it is stopped. */
export async function startTestPlatform(
  options: Partial<PlatformOptions> = {},
): Promise<{ platform: Platform; dataDir: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), "localstreet-e2e-"));
  const remove = () => rm(dataDir, { recursive: true, force: true });
  try {
    const platform = await startPlatform({
      dataDir,
      durable: false,
      ...options,
      env: {
        PATH: process.env.PATH,
        AUTH_JWT_SECRET: TEST_SECRET,
        GATEWAY_CONNECTIONS_PER_ADDRESS: "1000",
        CONNECTIONS_PER_USER: "1000",
        REQUESTS_PER_SECOND: "1000",
        REQUESTS_BURST: "1000",
        OPENINGS_PER_SECOND: "1000",
        OPENINGS_BURST: "1000",
        ...options.env,
      },
    });
    return {
      platform,
      dataDir,
      async stop() {
        await platform.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The replica that answered (PROTOCOL.md G4). */
export function replicaOf(answer: { headers: Headers | SocketClient["headers"] }): string {
  const { headers } = answer;
  const name =
    headers instanceof Headers
      ? headers.get("localstreet-replica")
      : headers["localstreet-replica"];
  if (typeof name !== "string") throw new Error("no replica has named itself");
  return name;
}

const ATTEMPTS = 40;

/** Opens connections until one has landed on `replica`; the others are closed. */
export async function openOn<C>(
  replica: string,
  open: () => Promise<C>,
  nameOf: (connection: C) => string,
  close: (connection: C) => void,
): Promise<C> {
  const others: C[] = [];
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const connection = await open();
      if (nameOf(connection) === replica) return connection;
      others.push(connection);
    }
    throw new Error(`none of ${ATTEMPTS} connections landed on ${replica}`);
  } finally {
    for (const other of others) close(other);
  }
}

let counter = 0;
/** An id that nothing else in this run has. */
export function freshId(prefix: string): string {
  counter += 1;
  return `${prefix}-${process.pid}-${counter}`;
}

/** What the actors of a marketplace do, through the gateway. */
export function createMarketplace(platform: Platform) {
  const { url } = platform;
  const socketUrl = url.replace(/^http/, "ws");

  async function request(
    method: string,
    path: string,
    token: string,
    body?: object,
  ): Promise<Response> {
    return await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body ? { "content-type": "application/json" } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(15_000),
    });
  }

  const serviceToken = () => platform.signToken({ role: "service", sub: "backend" });
  const buyerToken = (buyerId: string) => platform.signToken({ role: "buyer", sub: buyerId });
  const vendorToken = (vendorId: string, staffId = `staff-of-${vendorId}`) =>
    platform.signToken({ role: "vendor", sub: staffId, vendors: [vendorId] });

  return {
    request,
    serviceToken,
    buyerToken,
    vendorToken,

    async postOrder(vendorId: string, orderId: string): Promise<Response> {
      return await request("POST", `/api/vendor/${vendorId}/orders`, await serviceToken(), {
        orderId,
        buyerId: "ada",
        items: [{ name: "Cardamom bun", quantity: 2, unitPrice: 3500 }],
        total: 7000,
        currency: "SEK",
      });
    },

    async openVendorStream(
      vendorId: string,
      options: { kind?: "notifications" | "activity"; on?: string; lastEventId?: string } = {},
    ): Promise<EventStream> {
      const { kind = "notifications", on, lastEventId } = options;
      const token = await vendorToken(vendorId);
      const open = async () => {
        const address = `${url}/api/vendor/${vendorId}/${kind}/stream`;
        const resume = lastEventId === undefined ? {} : { lastEventId };
        const stream = await openEventStream(address, { token, ...resume });
        await stream.next((event) => event.event === "resume");
        return stream;
      };
      if (on === undefined) return await open();
      return await openOn(
        on,
        open,
        (stream) => replicaOf(stream.response),
        (stream) => stream.close(),
      );
    },

    async openSocketOf(
      path: "chat" | "tracking",
      token: string,
      on?: string,
    ): Promise<SocketClient> {
      const open = () => openSocket(`${socketUrl}/api/${path}/ws`, { token });
      if (on === undefined) return await open();
      return await openOn(on, open, replicaOf, (socket) => socket.close());
    },

    async putDelivery(deliveryId: string, delivery: object): Promise<Response> {
      const path = `/api/deliveries/${deliveryId}`;
      return await request("PUT", path, await serviceToken(), delivery);
    },

    async postFix(driverId: string, fix: { lat: number; lng: number }): Promise<Response> {
      const token = await platform.signToken({ role: "driver", sub: driverId });
      return await request("POST", `/api/driver/${driverId}/location`, token, fix);
    },
  };
}

/** The order ids that a stream has brought, in order of arrival. */
export function orderIdsOf(events: readonly StreamEvent[]): string[] {
  return events
    .filter((event) => event.event === "new-order")
    .map((event) => JSON.parse(event.data).orderId);
}

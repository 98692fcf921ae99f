import { randomUUID } from "node:crypto";
import { openEventStream } from "@localstreet/client/event-stream";
import { openSocket, type PushFrame, type Socket } from "@localstreet/client/socket";
import { signToken } from "@localstreet/service-kit/sign-token";
import { WebSocket } from "ws";
import { type Arrivals, createArrivals } from "./arrivals.ts";

export interface HeardEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: Record<string, unknown>;
  readonly atMs: number;
}

/** One who goes through the scenario: a vendor, a buyer and a courier that nobody else knows. */
export interface Visitor {
  readonly vendorId: string;
  readonly buyerId: string;
  readonly staffId: string;
  readonly driverId: string;
  readonly deliveryId: string;
  readonly orderId: string;
  readonly tokens: { readonly service: string; readonly driver: string };
  openStream(path: string): Promise<Arrivals<HeardEvent>>;
  openSocket(path: string, as: "buyer" | "staff"): Promise<OpenedSocket>;
  /** Hangs up everything. */
  leave(): void;
}

export interface OpenedSocket {
  readonly frames: Arrivals<PushFrame>;
  readonly send: Socket["send"];
}

/** Nobody stays longer, in milliseconds: a visitor whose scenario broke off leaves all the same. */
const LONGEST_VISIT_MS = 30_000;

export async function createVisitor(options: {
  target: string;
  secret: string;
  issuer: string | undefined;
}): Promise<Visitor> {
  const name = randomUUID().slice(0, 13);
  const ids = {
    vendorId: `smoke-vendor-${name}`,
    buyerId: `smoke-buyer-${name}`,
    staffId: `smoke-staff-${name}`,
    driverId: `smoke-driver-${name}`,
    deliveryId: `smoke-delivery-${name}`,
    orderId: `smoke-order-${name}`,
  };
  const { issuer, secret } = options;
  const sign = (claims: Pick<Parameters<typeof signToken>[0], "sub" | "role" | "vendors">) =>
    signToken({ secret, ...(issuer === undefined ? {} : { issuer }), ...claims });
  const token = {
    staff: await sign({ sub: ids.staffId, role: "vendor", vendors: [ids.vendorId] }),
    buyer: await sign({ sub: ids.buyerId, role: "buyer" }),
  };
  const service = await sign({ sub: "smoke", role: "service" });
  const driver = await sign({ sub: ids.driverId, role: "driver" });
  const open = new Set<{ close(): void }>();
  const leave = () => {
    clearTimeout(timer);
    for (const connection of open) connection.close();
    open.clear();
  };
  const timer = setTimeout(leave, LONGEST_VISIT_MS);

  return {
    ...ids,
    tokens: { service, driver },
    leave,
    async openStream(path) {
      const events = createArrivals<HeardEvent>();
      const stream = openEventStream({
        url: `${options.target}${path}`,
        token: token.staff,
        onEvent: ({ event, id, data }) =>
          events.add({ event, id, data: JSON.parse(data), atMs: performance.now() }),
      });
      open.add(stream);
      await events.expect(`the beginning of ${path}`, ({ event }) => event === "resume");
      return events;
    },
    async openSocket(path, as) {
      const frames = createArrivals<PushFrame>();
      const phases = createArrivals<string>();
      const socket = openSocket({
        url: `${options.target.replace(/^http/, "ws")}${path}`,
        token: token[as],
        WebSocket,
        onFrame: (frame) => frames.add(frame),
        onState: ({ phase }) => phases.add(phase),
      });
      open.add(socket);
      await phases.expect(`the ${as}'s connection to ${path}`, (phase) => phase === "open");
      return { frames, send: socket.send };
    },
  };
}

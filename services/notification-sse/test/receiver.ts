import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, "k").toString("base64")}`;

export interface Delivery {
  readonly path: string;
  readonly webhookId: string;
  readonly body: string;
  /** The signature is right, and fresh. */
  readonly isGenuine: boolean;
  /** What it was answered; `null` when it was not. */
  status: number | null;
}

/** A receiver of webhooks that is as unreliable as the test wants. */
export interface Receiver {
  readonly url: string;
  readonly deliveries: readonly Delivery[];
  /** How it answers; one that does not answer leaves the sender waiting. */
  answer: (delivery: Delivery, response: ServerResponse) => void;
  /** Refuses connections, and breaks those that are there, until `open`. */
  die(): Promise<void>;
  open(): Promise<void>;
  /** Ids that were answered with 2xx. */
  taken(): Set<string>;
}

/** As a receiver checks it, with the means of any language: docs/operations.md shows the same. */
function isGenuine(headers: Record<string, unknown>, body: string): boolean {
  const [webhookId, timestamp] = [headers["webhook-id"], Number(headers["webhook-timestamp"])];
  if (!(Math.abs(Date.now() / 1_000 - timestamp) < 300)) return false;
  const key = Buffer.from(WEBHOOK_SECRET.slice("whsec_".length), "base64");
  const expected = createHmac("sha256", key).update(`${webhookId}.${timestamp}.${body}`).digest();
  return String(headers["webhook-signature"])
    .split(" ")
    .some((signature) => {
      const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
}

export async function startReceiver(): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  let server: Server;
  let port = 0;

  async function open(): Promise<void> {
    server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece) => pieces.push(piece));
      request.on("end", () => {
        const body = Buffer.concat(pieces).toString();
        const delivery: Delivery = {
          path: request.url ?? "",
          webhookId: String(request.headers["webhook-id"]),
          body,
          isGenuine: isGenuine(request.headers, body),
          status: null,
        };
        deliveries.push(delivery);
        response.on("finish", () => {
          delivery.status = response.statusCode;
        });
        receiver.answer(delivery, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  }

  const receiver: Receiver = {
    get url() {
      return `http://127.0.0.1:${port}/escalations`;
    },
    deliveries,
    answer: (_delivery, response) => response.writeHead(204).end(),
    async die() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    open,
    taken: () =>
      new Set(
        deliveries
          .filter(({ status }) => status !== null && status >= 200 && status < 300)
          .map(({ webhookId }) => webhookId),
      ),
  };
  await open();
  return receiver;
}

import { randomUUID } from "node:crypto";
import type { Order } from "@localstreet/contracts/order";
import type { Platform } from "@localstreet/local/platform";

type Signs = Pick<Platform, "signToken">;

/** An id that no other run has. */
export function freshId(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 13)}`;
}

export function makeOrder(orderId: string, note?: string): Order {
  return {
    orderId,
    buyerId: "ada",
    items: [{ name: "Cardamom bun", quantity: 2, unitPrice: 3_500 }],
    total: 7_000,
    currency: "SEK",
    ...(note === undefined ? {} : { note }),
  } as Order;
}

/** One request of somebody's, to the gateway or straight to a replica. Never longer than 15 s. */
export async function request(
  platform: Signs,
  who: Parameters<Platform["signToken"]>[0],
  method: string,
  url: string,
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const token = await platform.signToken(who);
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body ? { "content-type": "application/json" } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
}

export const BACKEND = { role: "service", sub: "chaos-backend" } as const;

/** @returns the event's id when it was accepted, else the status. */
export async function postOrder(
  platform: Signs,
  baseUrl: string,
  vendorId: string,
  order: Order,
): Promise<{ id: string } | { status: number }> {
  const path = `/api/vendor/${vendorId}/orders`;
  const { status, body } = await request(platform, BACKEND, "POST", baseUrl + path, order);
  return status === 202 ? { id: String(body.id) } : { status };
}

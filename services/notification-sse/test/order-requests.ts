import type { Acknowledgement, OrderStatus } from "@localstreet/contracts/order";
import type { RunningService } from "@localstreet/service-kit/service";
import { tokenFor } from "@localstreet/testkit/tokens";

type Replica = Pick<RunningService, "url">;

async function ask(
  replica: Replica,
  path: string,
  options: { token: string; body?: unknown },
): Promise<Response> {
  return await fetch(`${replica.url}${path}`, {
    method: options.body === undefined ? "GET" : "POST",
    headers: {
      authorization: `Bearer ${options.token}`,
      ...(options.body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
}

export const staffToken = (vendorId: string, sub = "sam") =>
  tokenFor({ role: "vendor", sub, vendors: [vendorId] });

/** What a device of the vendor says of an order; `by` is whose device it is. */
export async function acknowledge(
  replica: Replica,
  vendorId: string,
  orderId: string,
  state: Acknowledgement,
  by = "sam",
): Promise<Response> {
  const path = `/api/vendor/${vendorId}/orders/${orderId}/ack`;
  return await ask(replica, path, { token: await staffToken(vendorId, by), body: { state } });
}

/** What a backend says of an order. */
export async function postStatus(
  replica: Replica,
  vendorId: string,
  orderId: string,
  status: OrderStatus,
  eventId?: string,
): Promise<Response> {
  const path = `/api/vendor/${vendorId}/orders/${orderId}/status`;
  const token = await tokenFor({ role: "service", sub: "backend" });
  return await ask(replica, path, { token, body: { status, eventId } });
}

/** A read of a vendor's orders: `path` is what follows `/orders`. */
export async function getOrders(replica: Replica, vendorId: string, path = ""): Promise<Response> {
  const token = await staffToken(vendorId);
  return await ask(replica, `/api/vendor/${vendorId}/orders${path}`, { token });
}

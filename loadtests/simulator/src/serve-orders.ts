import type { Acknowledgement } from "@localstreet/contracts/order";
import { raise } from "@localstreet/contracts/raise";
import type { Api } from "./api.ts";
import type { Clock } from "./clock.ts";
import type { Counts } from "./counts.ts";
import type { Random } from "./random.ts";
import type { Identity } from "./tokens.ts";
import type { Vendor } from "./town.ts";

const REJECTED_SHARE = 0.07;
/** Nobody has time at once, so that the order is heard of again. */
const FORGOTTEN_SHARE = 0.06;
/** The platform reminds and escalates in our time, whatever the town's, in milliseconds. */
const FORGOTTEN_MS = [35_000, 150_000] as const;

/** The staff's side of an order: it shows on the tablet, somebody looks at it, and some seconds later answers. */
export function serveOrders(
  vendor: Vendor,
  staff: Identity,
  world: {
    api: Api;
    clock: Clock;
    counts: Counts;
    random: Random;
    onDecided(orderId: string, isAccepted: boolean): void;
  },
): { hear(event: string, data: string): void } {
  const { api, clock, counts } = world;
  const random = world.random.fork(`${vendor.vendorId} orders`);
  const waiting = new Set<string>();

  async function tell(orderId: string, state: Acknowledgement): Promise<void> {
    const path = `/api/vendor/${vendor.vendorId}/orders/${orderId}/ack`;
    // Somebody at the page may be faster.
    const answer = await api.send({
      method: "POST",
      path,
      as: staff,
      body: { state },
      mayLose: true,
    });
    if (answer === "done" && state !== "received" && state !== "seen") counts.answers += 1;
  }

  async function serve(orderId: string): Promise<void> {
    const isForgotten = random.chance(FORGOTTEN_SHARE);
    const forgottenMs = random.between(...FORGOTTEN_MS);
    const looksAfter = random.between(1, 3);
    const decidesAfter = random.between(4, 12);
    const answer = random.chance(REJECTED_SHARE) ? "rejected" : "accepted";
    await tell(orderId, "received");
    if (isForgotten) await clock.waitMs(forgottenMs);
    await clock.pass(looksAfter);
    if (waiting.has(orderId)) await tell(orderId, "seen");
    await clock.pass(decidesAfter);
    if (waiting.has(orderId)) await tell(orderId, answer);
  }

  function decide(orderId: string, isAccepted: boolean): void {
    if (waiting.delete(orderId)) world.onDecided(orderId, isAccepted);
  }

  return {
    hear(event, data) {
      if (!ORDER_EVENTS.has(event)) return;
      const { orderId, state, status } = JSON.parse(data) as {
        orderId: string;
        state?: string;
        status?: string;
      };
      if (event === "new-order") {
        waiting.add(orderId);
        serve(orderId).catch(raise);
      } else if (event === "order-expired") decide(orderId, false);
      else if (state === "accepted" || status === "accepted") decide(orderId, true);
      else if (state === "rejected" || status === "rejected" || status === "cancelled") {
        decide(orderId, false);
      }
    },
  };
}

const ORDER_EVENTS: ReadonlySet<string> = new Set([
  "new-order",
  "order-acknowledged",
  "order-updated",
  "order-expired",
]);

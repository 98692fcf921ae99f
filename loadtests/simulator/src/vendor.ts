import { openEventStream } from "@localstreet/client/event-stream";
import type { Api } from "./api.ts";
import type { Chats } from "./chat.ts";
import type { Clock } from "./clock.ts";
import type { Counts } from "./counts.ts";
import { replyTo } from "./lines.ts";
import type { Random } from "./random.ts";
import { serveOrders } from "./serve-orders.ts";
import type { Identity, TokenDesk } from "./tokens.ts";
import type { Vendor } from "./town.ts";

export interface OpenShop {
  /** Resolves once it hears orders. */
  readonly opened: Promise<void>;
  close(): void;
}

/**
 * The staff of a shop: answers its orders and everybody who writes, people at the page included. `onDecided` hears what
 * became of each order, whoever decided it.
 */
export function openShop(
  vendor: Vendor,
  world: {
    api: Api;
    chats: Chats;
    clock: Clock;
    tokens: TokenDesk;
    counts: Counts;
    random: Random;
    onDecided(orderId: string, isAccepted: boolean): void;
  },
): OpenShop {
  const { clock, counts } = world;
  const random = world.random.fork(vendor.vendorId);
  const identity = staffIdentity(vendor);
  const staff = serveOrders(vendor, identity, world);
  let hearOrders: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    hearOrders = resolve;
  });
  const orders = openEventStream({
    url: `${world.api.gateway}/api/vendor/${vendor.vendorId}/notifications/stream`,
    token: () => world.tokens.tokenFor(identity),
    onEvent({ event, data }) {
      if (event === "resume") hearOrders();
      if (event === "new-order") counts.ordersHeard += 1;
      staff.hear(event, data);
    },
  });
  const chat = world.chats.connect(identity, async (message) => {
    if (message.side !== "buyer") return;
    const reply = replyTo(message.content, "vendor", random);
    if (reply === null) return;
    await clock.pass(random.between(1.5, 5));
    await chat.say({ conversationId: message.conversationId }, reply);
  });
  return {
    opened,
    close() {
      orders.close();
      chat.close();
    },
  };
}

export function staffIdentity(vendor: Vendor): Identity {
  return { sub: vendor.staffId, role: "vendor", vendors: [vendor.vendorId] };
}

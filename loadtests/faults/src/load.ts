import { type BackendCounts, openBackend } from "@localstreet/oracle/backend";
import { type ChatPerson, openChatPerson } from "@localstreet/oracle/chat-person";
import { type Courier, openCourier } from "@localstreet/oracle/courier";
import { judge, type Verdict } from "@localstreet/oracle/judge";
import { createLedger, type Ledger, type Path } from "@localstreet/oracle/ledger";
import { openOrderListener } from "@localstreet/oracle/order-listener";
import { settle } from "@localstreet/oracle/settle";
import { readStored } from "@localstreet/oracle/stored";
import type { Target } from "@localstreet/oracle/target";
import { openWatcher } from "@localstreet/oracle/watcher";
import { freshId } from "./marketplace.ts";
import { type Pace, startPace } from "./pace.ts";
import { createPresence, type Presence } from "./presence.ts";
import { timeUntil } from "./wait.ts";

/** What happens on a platform while it is harmed: orders, chats and rides, with the oracle's clients at every end. */
export interface Load {
  readonly target: Target;
  readonly ledgers: Readonly<Record<Path, Ledger>>;
  readonly presence: Presence;
  readonly vendorIds: readonly string[];
  readonly deliveryIds: readonly string[];
  readonly people: readonly { readonly buyerId: string; readonly vendorId: string }[];
  /** Sent so far, each once however often it was tried. */
  readonly begun: Readonly<Record<"orders" | "chat" | "tracking", number>>;
  /** What was sent of the orders, and what came of it. */
  readonly sent: BackendCounts;
  /** Acknowledged so far: orders, chat messages, fixes. */
  readonly acknowledged: Readonly<Record<"orders" | "chat" | "tracking", number>>;
  /** Places nothing new on these paths (all when none is named) until `resume`; what is under way goes on. */
  pause(...paths: Path[]): void;
  resume(...paths: Path[]): void;
  /** One message from each person, beside the pace. Resolves when all are acknowledged or refused. */
  sayOnce(): Promise<void>;
  /** How long until nothing is owed to anybody. */
  timeUntilSettled(timeoutMs: number): Promise<number | null>;
  /** No order any more, for good. Resolves when all are accepted, refused or given up. */
  stopOrders(): Promise<void>;
  /**
   * `stopOrders`, and those that were stored are not asked for: what is done to the log makes them go, and its numbers
   * begin again.
   */
  endOrders(): Promise<void>;
  /** Ends the load, waits until everything has come, and judges every path. */
  finish(): Promise<readonly Verdict[]>;
  close(): void;
}

/** How much of what. */
export interface LoadShape {
  readonly vendors: number;
  /** Streams of each vendor that take its orders. */
  readonly devices: number;
  readonly ordersPerSecond: number;
  /** A dashboard, a chat with a buyer and a ride at each vendor. */
  readonly hasAllPaths: boolean;
}

/** Of size 1: what two cores carry beside the platform and the oracle. */
export function usualLoad(size: number): LoadShape {
  return { vendors: 4 * size, devices: 2, ordersPerSecond: 20 * size, hasAllPaths: true };
}

/** Nothing: whoever asks for it brings a load of its own. */
export const NO_LOAD: LoadShape = {
  vendors: 0,
  devices: 0,
  ordersPerSecond: 0,
  hasAllPaths: false,
};

const MESSAGES_PER_SECOND_AND_VENDOR = 2;
/** One of each courier's in this time: less than half of what PROTOCOL.md T10 lets them send. */
const FIX_EVERY_MS = 1_000;
const SETTLE_MS = 40_000;
/** Longer than two elections of a cluster on a busy machine: every order is to be answered in the end. */
const GIVE_UP_MS = 120_000;
/** Clients come back sooner than people's would, so that what is measured is the platform. */
const BACKOFF_MS = { base: 250, cap: 2_000 };
/** Kungsportsplatsen in Gothenburg. */
const CENTRE = { lat: 57.7043, lng: 11.9694 };

/** Opens all clients and begins. @throws when they do not get in. */
export async function startLoad(target: Target, shape: LoadShape): Promise<Load> {
  const ledgers = {
    orders: createLedger({ path: "orders" }),
    dashboard: createLedger({ path: "dashboard" }),
    chat: createLedger({ path: "chat" }),
    tracking: createLedger({ path: "tracking" }),
  };
  const begun = { orders: 0, chat: 0, tracking: 0 };
  const acknowledged = { orders: 0, chat: 0, tracking: 0 };
  const presence = createPresence();
  const vendorIds = Array.from({ length: shape.vendors }, () => freshId("vendor"));
  const people = (shape.hasAllPaths ? vendorIds : []).map((vendorId) => ({
    vendorId,
    buyerId: freshId("buyer"),
  }));
  const deliveryIds: string[] = [];
  const clients: { opened(): Promise<void>; close(): void }[] = [];
  const common = { target, backoffMs: BACKOFF_MS };
  const keep = <C extends (typeof clients)[number]>(client: C): C => {
    clients.push(client);
    return client;
  };

  for (const vendorId of vendorIds) {
    const devices = Array.from(
      { length: shape.devices },
      (_, n) => [`till ${n}`, "orders"] as const,
    );
    const dashboards = shape.hasAllPaths ? [["dashboard", "dashboard"] as const] : [];
    for (const [device, path] of [...devices, ...dashboards]) {
      keep(
        openOrderListener({
          ...common,
          ledger: ledgers[path],
          receiver: `${device} of ${vendorId}`,
          vendorId,
          stream: path === "orders" ? "notifications" : "activity",
          onState: presence.enter(`${device} of ${vendorId}`),
        }),
      );
    }
  }
  const chats = people.map(({ buyerId, vendorId }) => {
    const open = (receiver: string, identity: Parameters<typeof openChatPerson>[0]["identity"]) =>
      keep(
        openChatPerson({
          ...common,
          ledger: ledgers.chat,
          receiver,
          identity,
          onState: presence.enter(receiver),
        }),
      );
    const staffId = `staff-of-${vendorId}`;
    return {
      sides: { buyerId, vendorId },
      buyer: open(`phone of ${buyerId}`, { role: "buyer", sub: buyerId }),
      staff: open(`counter of ${vendorId}`, { role: "vendor", sub: staffId, vendors: [vendorId] }),
    };
  });
  const couriers: Courier[] = [];
  for (const { buyerId, vendorId } of people) {
    const driverId = freshId("driver");
    const deliveryId = freshId("delivery");
    deliveryIds.push(deliveryId);
    await putDelivery(target, deliveryId, { driverId, buyerId, vendorId });
    couriers.push(
      openCourier({ target, ledger: ledgers.tracking, driverId, deliveryIds: [deliveryId] }),
    );
    for (const identity of [
      { role: "buyer", sub: buyerId },
      { role: "vendor", sub: `staff-of-${vendorId}`, vendors: [vendorId] },
    ] as const) {
      keep(
        openWatcher({
          ...common,
          ledger: ledgers.tracking,
          receiver: `${identity.role} who watches ${deliveryId}`,
          identity,
          deliveryId,
          onState: presence.enter(`${identity.role} who watches ${deliveryId}`),
        }),
      );
    }
  }
  const close = () => {
    for (const client of clients) client.close();
  };
  try {
    await Promise.all(clients.map((client) => client.opened()));
    // A member of staff answers in conversations that are there.
    await Promise.all(chats.map(({ buyer, sides }) => buyer.say(sides, "Good morning")));
  } catch (error) {
    close();
    throw error;
  }

  const orderLedgers = shape.hasAllPaths ? [ledgers.orders, ledgers.dashboard] : [ledgers.orders];
  const backend = openBackend({ target, ledgers: orderLedgers, giveUpMs: GIVE_UP_MS });
  const placeOrder = async (n: number) => {
    begun.orders += 1;
    const outcome = await backend.postOrder({
      vendorId: vendorIds[n % vendorIds.length] as string,
    });
    if (outcome.kind === "done") acknowledged.orders += 1;
  };
  const say = async (n: number) => {
    begun.chat += 1;
    const chat = chats[(n >> 1) % chats.length] as (typeof chats)[number];
    const person: ChatPerson = n % 2 === 0 ? chat.buyer : chat.staff;
    if ((await person.say(chat.sides)) === "acknowledged") acknowledged.chat += 1;
  };
  const report = async (n: number) => {
    begun.tracking += 1;
    const courier = couriers[n % couriers.length] as Courier;
    const place = { lat: CENTRE.lat + (n % 1_000) * 0.00001, lng: CENTRE.lng };
    if ((await courier.report(place)) === "accepted") acknowledged.tracking += 1;
  };
  const paces: Partial<Record<Path, Pace>> = {
    ...(shape.ordersPerSecond > 0
      ? { orders: startPace(1_000 / shape.ordersPerSecond, placeOrder) }
      : {}),
    ...(shape.hasAllPaths
      ? {
          chat: startPace(1_000 / (MESSAGES_PER_SECOND_AND_VENDOR * shape.vendors), say),
          tracking: startPace(FIX_EVERY_MS / couriers.length, report),
        }
      : {}),
  };
  const pacesOf = (paths: readonly Path[]) =>
    Object.entries(paces)
      .filter(([path]) => paths.length === 0 || paths.includes(path as Path))
      .map(([, pace]) => pace);
  const all = shape.hasAllPaths
    ? Object.values(ledgers)
    : shape.vendors > 0
      ? [ledgers.orders]
      : [];
  let asksForOrders = true;

  return {
    target,
    ledgers,
    presence,
    vendorIds,
    deliveryIds,
    people,
    begun,
    sent: backend.counts,
    acknowledged,
    pause(...paths) {
      for (const pace of pacesOf(paths)) pace.pause();
    },
    resume(...paths) {
      for (const pace of pacesOf(paths)) pace.resume();
    },
    async sayOnce() {
      await Promise.all(
        chats.flatMap(({ buyer, staff, sides }) => [buyer.say(sides), staff.say(sides)]),
      );
    },
    timeUntilSettled: (timeoutMs) =>
      timeUntil(() => all.every((ledger) => ledger.outstanding() === 0), timeoutMs),
    stopOrders: async () => await paces.orders?.stop(),
    async endOrders() {
      asksForOrders = false;
      await paces.orders?.stop();
    },
    async finish() {
      await Promise.all(Object.values(paces).map((pace) => pace.stop()));
      await settle(all, { timeoutMs: SETTLE_MS });
      const stored = { target, vendorIds };
      if (asksForOrders) await readStored(ledgers.orders, stored);
      if (shape.hasAllPaths) await readStored(ledgers.chat, stored);
      return all.map((ledger) => judge(ledger));
    },
    close,
  };
}

async function putDelivery(
  target: Target,
  deliveryId: string,
  who: { driverId: string; buyerId: string; vendorId: string },
): Promise<void> {
  const delivery = {
    ...who,
    orderId: freshId("order"),
    destination: CENTRE,
    status: "picked_up",
  };
  const answer = await target.request({
    method: "PUT",
    path: `/api/deliveries/${deliveryId}`,
    as: { role: "service", sub: "chaos-backend" },
    body: delivery,
  });
  if (answer.status !== 201) throw new Error(`the delivery was answered with ${answer.status}`);
}

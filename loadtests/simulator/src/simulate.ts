import { setMaxListeners } from "node:events";
import { raise } from "@localstreet/contracts/raise";
import { openApi } from "./api.ts";
import { settleBuyer } from "./buyer.ts";
import { openChats } from "./chat.ts";
import { openCity } from "./city.ts";
import { createClock } from "./clock.ts";
import { type Counts, zeroCounts } from "./counts.ts";
import { startCourier } from "./courier.ts";
import { BACKEND, type Deliveries, openDeliveries } from "./deliveries.ts";
import { keepDirectory } from "./directory.ts";
import { openKitchen } from "./kitchen.ts";
import { createOrder } from "./orders.ts";
import { letPassersBy } from "./passers-by.ts";
import { createRandom } from "./random.ts";
import { openTokenDesk } from "./tokens.ts";
import { type Buyer, settleTown, type Town, type Vendor } from "./town.ts";
import { openUplink } from "./uplink.ts";
import { openShop } from "./vendor.ts";

export interface SimulationOptions {
  /** Base address of the platform, as a browser would open it. */
  gateway: string;
  /** Where the directory file is kept. */
  directory: string;
  secret: string;
  issuer?: string | undefined;
  seed: number;
  /** How fast the town's time runs. Positions are at most one in 0.6 s of ours. */
  speed: number;
  vendors: number;
  couriers: number;
  log(line: string): void;
}

export interface Simulation {
  readonly town: Town;
  readonly counts: Readonly<Counts>;
  /** Calls off the deliveries under way and hangs up. Takes two seconds at most. */
  stop(): Promise<void>;
}

const CALL_OFF_MS = 1_500;
/** Orders wait so long for the shops to open, so that none is unheard. */
const OPENING_MS = 5_000;
/** Orders that their buyers call off again, at once. */
const REGRETTED_SHARE = 0.04;
/** Until a buyer without a courier stands at the counter, of the town's time. */
const FETCH_SECONDS = 30;
/** One shop is the talk of the town: who looks at it soon has something to see. */
const BUSIEST_SHARE = 0.4;

/** Lets a town live: orders, talks and deliveries, all through the public API of the platform. */
export function startSimulation(options: SimulationOptions): Simulation {
  const stopping = new AbortController();
  // Everybody in the town waits on it.
  setMaxListeners(0, stopping.signal);
  const clock = createClock(options.speed, stopping.signal);
  const random = createRandom(options.seed);
  const counts = zeroCounts();
  const { log } = options;
  const tokens = openTokenDesk(options);
  // Two runs over the same data must not give different orders the same id.
  const runId = Date.now().toString(36);
  const city = openCity();
  const town = settleTown(city, random.fork("town"), options);
  const api = openApi({ gateway: options.gateway, clock, tokens, counts, log });
  const chats = openChats({ api, clock, tokens, counts, runId, log });
  const world = { api, chats, city, clock, counts, random, tokens };

  const kitchen = openKitchen(world);
  const placed = new Map<string, { vendor: Vendor; buyer: Buyer }>();
  const shops = town.vendors.map((vendor) => openShop(vendor, { ...world, onDecided }));
  const buyers = new Map(town.buyers.map((buyer) => [buyer, settleBuyer(buyer, world)]));
  const couriers = town.couriers.map((person) => {
    const uplink = openUplink({ sub: person.driverId, role: "driver" }, api, counts);
    return startCourier(person, { ...world, uplink });
  });
  const deliveries: Deliveries = openDeliveries({
    ...world,
    couriers,
    kitchen,
    onChange: () => directory.touch(),
  });
  const directory = keepDirectory({
    file: options.directory,
    town,
    tokens,
    clock,
    deliveries: () => deliveries.entries,
    log,
  });

  /** The shop's stream tells it: staff, somebody at the page, or the clock. */
  function onDecided(orderId: string, isAccepted: boolean): void {
    const order = placed.get(orderId);
    placed.delete(orderId);
    if (!order || !isAccepted) return;
    const { vendorId } = order.vendor;
    const packed = kitchen.prepare({ orderId, vendorId });
    // Without a free courier the buyer comes and fetches it.
    if (deliveries.start({ orderId, ...order, packed })) return;
    packed
      .then(() => clock.pass(FETCH_SECONDS))
      .then(() => kitchen.tell({ orderId, vendorId }, "picked_up"))
      .catch(raise);
  }

  async function cancelLater(orderId: string, vendorId: string, seconds: number): Promise<void> {
    await clock.pass(seconds);
    if (placed.has(orderId)) await kitchen.tell({ orderId, vendorId }, "cancelled");
  }

  async function takeOrders(): Promise<void> {
    const chance = random.fork("orders");
    const [busiest] = town.vendors;
    await Promise.race([Promise.all(shops.map((shop) => shop.opened)), clock.waitMs(OPENING_MS)]);
    for (let number = 1; !clock.stopped.aborted; number++) {
      const isForBusiest = chance.chance(BUSIEST_SHARE);
      const buyer = chance.pick(town.buyers);
      const vendor = isForBusiest ? busiest : chance.pick(buyer.shops);
      const body = createOrder(chance, `o-${runId}-${number}`, buyer, vendor);
      const talks = number === 1 || chance.chance(isForBusiest ? 0.8 : 0.5);
      const pauseSeconds = chance.between(3, 5);
      const regretsAfter = chance.chance(REGRETTED_SHARE) ? chance.between(2, 6) : null;
      placed.set(body.orderId, { vendor, buyer });
      const path = `/api/vendor/${vendor.vendorId}/orders`;
      const answer = await api.send({ method: "POST", path, as: BACKEND, body });
      if (answer === "done") {
        counts.orders += 1;
        if (regretsAfter !== null) {
          cancelLater(body.orderId, vendor.vendorId, regretsAfter).catch(raise);
        }
        if (talks) buyers.get(buyer)?.askAbout(vendor, body.orderId);
      }
      await clock.pass(pauseSeconds);
    }
  }
  takeOrders().catch(raise);
  for (const vendor of town.vendors) letPassersBy(vendor, world);

  return {
    town,
    counts,
    async stop() {
      const underWay = deliveries.entries.filter(({ status }) => status !== "delivered");
      stopping.abort();
      for (const device of [...shops, ...buyers.values()]) device.close();
      const last = createClock(1, AbortSignal.timeout(CALL_OFF_MS));
      const lastApi = openApi({ gateway: options.gateway, clock: last, tokens, counts, log });
      await Promise.all(
        underWay.map(({ deliveryId, ...delivery }) => {
          const body = { ...delivery, status: "cancelled" };
          const path = `/api/deliveries/${deliveryId}`;
          return lastApi.send({ method: "PUT", path, as: BACKEND, body });
        }),
      );
    },
  };
}

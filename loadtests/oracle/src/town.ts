import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openBackend } from "./backend.ts";
import { openChatPerson } from "./chat-person.ts";
import { openCourier } from "./courier.ts";
import { createLedger, type Ledger, type Path } from "./ledger.ts";
import { openOrderListener } from "./order-listener.ts";
import { openShopDesk, RINGS, type ShopDesk } from "./shop-desk.ts";
import { codeOf, type Target } from "./target.ts";
import { openWatcher } from "./watcher.ts";

/** A few vendors with everybody around them, on all four paths. */
export interface Town {
  readonly ledgers: Record<Path, Ledger>;
  readonly vendorIds: readonly string[];
  /**
   * Orders, one of which two of the vendor's staff answer differently at the same moment, messages both ways, a fix and a
   * look at the open orders at each vendor; resolves when all are answered.
   */
  playRound(orders: number): Promise<void>;
  /** Resolves when everybody has the connection that they had before. */
  connected(timeoutMs: number): Promise<void>;
  close(): void;
}

const SERVICE = { role: "service", sub: "oracle-backend" } as const;
const START = { lat: 57.7089, lng: 11.9746 };

/**
 * Each vendor has two devices that listen for orders, a dashboard, and one for chat; one buyer with two devices, who also
 * watches the delivery, as does the vendor; and one courier. The ids are new, so that nothing is there before.
 *
 * @throws {Error} when one of them is refused or is not connected in time.
 */
export async function openTown(options: {
  target: Target;
  vendors: number;
  /**
   * Of an order that is placed in the first round and never answered, how many reminders come before it expires. Where it
   * is absent, nobody waits for deadlines.
   */
  reminders?: number | undefined;
  giveUpMs?: number;
  backoffMs?: { base: number; cap: number };
}): Promise<Town> {
  const { target, vendors, reminders, giveUpMs = 60_000 } = options;
  const backoff = options.backoffMs ? { backoffMs: options.backoffMs } : {};
  const ledgers = {
    orders: createLedger({ path: "orders" }),
    dashboard: createLedger({ path: "dashboard" }),
    chat: createLedger({ path: "chat" }),
    tracking: createLedger({ path: "tracking" }),
  };
  const run = randomUUID().slice(0, 8);
  const backend = openBackend({ target, ledgers: [ledgers.orders, ledgers.dashboard], giveUpMs });
  const shops = Array.from({ length: vendors }, (_, index) => openShop(`v${index}-${run}`));
  const clients = shops.flatMap((shop) => shop.clients);

  function openShop(vendorId: string) {
    const buyerId = `buyer-of-${vendorId}`;
    const driverId = `driver-of-${vendorId}`;
    const deliveryId = `delivery-of-${vendorId}`;
    const buyer = { role: "buyer", sub: buyerId } as const;
    const staff = { role: "vendor", sub: `staff-of-${vendorId}`, vendors: [vendorId] } as const;
    const listen = (device: string, stream: "notifications" | "activity", ledger: Ledger) =>
      openOrderListener({
        ...{ target, ledger, vendorId, stream, ...backoff },
        receiver: `${device}-of-${vendorId}`,
      });
    const chat = (device: string, identity: typeof buyer | typeof staff) =>
      openChatPerson({
        ...{ target, identity, giveUpMs, ...backoff },
        ...{ ledger: ledgers.chat, dashboard: ledgers.dashboard },
        receiver: `${device}-of-${vendorId}`,
      });
    const phone = chat("phone", buyer);
    const counter = chat("counter", staff);
    const start = async () => {
      const answer = await putDelivery("picked_up");
      if (answer.status !== 201) throw new Error(`a delivery was answered ${codeOf(answer)}`);
      const watch = (device: string, identity: typeof buyer | typeof staff) =>
        openWatcher({
          ...{ target, identity, deliveryId, ...backoff },
          ledger: ledgers.tracking,
          receiver: `${device}-of-${vendorId}`,
        });
      return [watch("map", buyer), watch("counter-map", staff)];
    };
    const putDelivery = (status: string) =>
      target.request({
        method: "PUT",
        path: `/api/deliveries/${deliveryId}`,
        as: SERVICE,
        body: { driverId, buyerId, vendorId, orderId: "any", destination: START, status },
      });
    return {
      vendorId,
      desk: openShopDesk({ target, ledger: ledgers.orders, vendorId, giveUpMs }),
      sides: { buyerId, vendorId },
      phone,
      counter,
      start,
      courier: openCourier({
        ...{ target, driverId },
        ledger: ledgers.tracking,
        deliveryIds: [deliveryId],
      }),
      clients: [
        listen("till", "notifications", ledgers.orders),
        listen("kitchen", "notifications", ledgers.orders),
        listen("dashboard", "activity", ledgers.dashboard),
        phone,
        chat("tablet", buyer),
        counter,
      ] as { opened(): Promise<void>; readonly state: { phase: string }; close(): void }[],
    };
  }

  function close(): void {
    for (const client of clients) client.close();
  }

  try {
    await Promise.all(
      shops.map(async ({ start }) => {
        clients.push(...(await start()));
      }),
    );
    await Promise.all(clients.map((client) => client.opened()));
  } catch (error) {
    close();
    throw error;
  }

  async function placeAndAnswer(vendorId: string, desk: ShopDesk): Promise<void> {
    const orderId = randomUUID();
    const { kind } = await backend.postOrder({ vendorId, orderId });
    if (kind === "done") await desk.answer(orderId, ["accepted", "rejected"]);
  }

  let round = 0;
  return {
    ledgers,
    vendorIds: shops.map(({ vendorId }) => vendorId),
    async playRound(orders) {
      round += 1;
      const place = { lat: START.lat + round * 1e-4, lng: START.lng };
      await Promise.all(
        shops.map(async ({ vendorId, desk, sides, phone, counter, courier }) => {
          const fix = courier.report(place);
          const decided = placeAndAnswer(vendorId, desk);
          if (round === 1 && reminders !== undefined) {
            const orderId = `${RINGS}${randomUUID()}`;
            const posted = backend.postOrder({ vendorId, orderId });
            desk.letRing(orderId, reminders);
            await posted;
          }
          const placed = Array.from({ length: orders }, () => backend.postOrder({ vendorId }));
          const asked = await phone.say(sides);
          const answered = asked === "acknowledged" ? counter.say(sides, "In ten minutes.") : null;
          await Promise.all([fix, answered, decided, desk.readSnapshot(), ...placed]);
        }),
      );
    },
    async connected(timeoutMs) {
      const startedAtMs = performance.now();
      while (clients.some(({ state }) => state.phase !== "open")) {
        if (performance.now() - startedAtMs > timeoutMs) throw new Error("not all are connected");
        await sleep(20);
      }
    },
    close,
  };
}

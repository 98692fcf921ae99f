import { type KeptLine, keepLine } from "./kept-line.ts";
import { type LeanEvent, openLeanStream } from "./lean-stream.ts";
import { type Ledgers, SHOP, type ShopKit } from "./shop-kit.ts";

/** The vendor's devices and dashboards, and the backend that places orders with it. */
export async function openStreams(
  kit: ShopKit,
  ledgers: Ledgers,
): Promise<{ lines: KeptLine[]; placeOrder(): Promise<void> }> {
  const { vendorId, name } = kit;
  const desks = Array.from({ length: SHOP.desks }, (_, index) => `${name}-desk-${index}`);
  const dashboards = Array.from(
    { length: SHOP.dashboards },
    (_, index) => `${name}-board-${index}`,
  );
  let orders = 0;

  async function open(
    receiver: string,
    kind: "notifications" | "activity",
    onEvent: (event: LeanEvent) => void,
  ): Promise<KeptLine> {
    const token = await kit.sign("vendor", receiver, [vendorId]);
    const url = new URL(`/api/vendor/${vendorId}/${kind}/stream`, kit.target);
    const localAddress = kit.nextAddress();
    let lastEventId: string | undefined;
    return keepLine(kit.counts, (opened, ended) =>
      openLeanStream({
        url,
        token,
        lastEventId,
        localAddress,
        onEvent(event) {
          if (event.id !== undefined) lastEventId = event.id;
          if (event.event === "resume") opened();
          else onEvent(event);
        },
        onEnd: ended,
      }),
    );
  }

  const lines = await Promise.all([
    ...desks.map((receiver) =>
      open(receiver, "notifications", ({ event, id, data }) => {
        if (event !== "new-order") return;
        ledgers.orders.receive(receiver, { key: orderIdIn(data), id, atMs: performance.now() });
      }),
    ),
    ...dashboards.map((receiver) =>
      open(receiver, "activity", ({ event, id, data }) => {
        const atMs = performance.now();
        if (event === "new-order") {
          ledgers.dashboard.receive(receiver, { key: orderIdIn(data), id, atMs });
        } else if (event === "activity") {
          ledgers.dashboard.receive(receiver, { key: activityKey(JSON.parse(data).text), atMs });
        }
      }),
    ),
  ]);

  return {
    lines,
    async placeOrder() {
      const key = `${name}-order-${++orders}`;
      const atMs = performance.now();
      const group = vendorId;
      ledgers.orders.offer(key, { audience: desks, group, atMs });
      ledgers.dashboard.offer(key, { audience: dashboards, group, atMs });
      const path = `/api/vendor/${vendorId}/orders`;
      const { status, body } = await kit.caller.insist("POST", path, kit.serviceToken, {
        orderId: key,
        buyerId: `${name}-buyer-0`,
        items: [{ name: "Cardamom bun", quantity: 2, unitPrice: 3_500 }],
        total: 7_000,
        currency: "SEK",
      });
      for (const ledger of [ledgers.orders, ledgers.dashboard]) {
        if (status === 202) {
          ledger.acknowledge(key, { id: String(body.id), group, atMs: performance.now() });
        } else if (status !== 0) ledger.refuse(key, { code: String(body.code ?? status) });
      }
    },
  };
}

/** A message on the dashboard has its text and no id, so every text of a run is another one. */
export function activityKey(text: string): string {
  return text.slice(0, 120);
}

function orderIdIn(data: string): string {
  const at = data.indexOf('"orderId":"') + 11;
  return data.slice(at, data.indexOf('"', at));
}

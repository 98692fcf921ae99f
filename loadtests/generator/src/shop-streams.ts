import { nowMs } from "@localstreet/oracle/clock";
import { activityKey, type Ledger, orderKey } from "@localstreet/oracle/ledger";
import { readLifeEvent } from "@localstreet/oracle/order-life";
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
  const group = vendorId;
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
        const atMs = nowMs();
        if (event === "new-order") {
          ledgers.orders.receive(receiver, { key: orderKeyIn(data), id, group, atMs });
        } else follow(ledgers.orders, receiver, { event, id, data });
      }),
    ),
    ...dashboards.map((receiver) =>
      open(receiver, "activity", ({ event, id, data }) => {
        const atMs = nowMs();
        if (event === "new-order") {
          ledgers.dashboard.receive(receiver, { key: orderKeyIn(data), id, group, atMs });
        } else if (event === "activity") {
          const activity = JSON.parse(data);
          // Other lines, as those about deliveries, are nobody's in the ledger.
          if (activity.kind !== "chat") return;
          const [clientMessageId] = String(activity.text).split(" ", 1);
          ledgers.dashboard.receive(receiver, { key: activityKey(String(clientMessageId)), atMs });
        } else follow(ledgers.dashboard, receiver, { event, id, data });
      }),
    ),
  ]);

  return {
    lines,
    async placeOrder() {
      const orderId = `${name}-order-${++orders}`;
      const key = orderKey(vendorId, orderId);
      const atMs = nowMs();
      ledgers.orders.offer(key, { audience: desks, group, atMs });
      ledgers.dashboard.offer(key, { audience: dashboards, group, atMs });
      const path = `/api/vendor/${vendorId}/orders`;
      const { status, body } = await kit.caller.insist("POST", path, kit.serviceToken, {
        orderId,
        buyerId: `${name}-buyer-0`,
        items: [{ name: "Cardamom bun", quantity: 2, unitPrice: 3_500 }],
        total: 7_000,
        currency: "SEK",
      });
      for (const ledger of [ledgers.orders, ledgers.dashboard]) {
        if (status === 202) {
          ledger.acknowledge(key, { id: String(body.id), group, atMs: nowMs() });
        } else {
          const code = String(body.code ?? status);
          ledger.refuse(key, { code, mayExist: status === 0 || status >= 500 });
        }
      }
    },
  };
}

/** What happens to an order after it was placed. */
function follow(ledger: Ledger, receiver: string, { event, id, data }: LeanEvent): void {
  const told = readLifeEvent(event, data, orderKey);
  if (told) ledger.follow(receiver, { ...told, id, atMs: nowMs() });
}

/** Costs no JSON parse: ids hold nothing that JSON would escape (PROTOCOL.md G1). */
function orderKeyIn(data: string): string {
  return orderKey(idIn(data, '"vendorId":"'), idIn(data, '"orderId":"'));
}

function idIn(data: string, before: string): string {
  const at = data.indexOf(before) + before.length;
  return data.slice(at, data.indexOf('"', at));
}

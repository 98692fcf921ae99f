import { nowMs } from "@localstreet/oracle/clock";
import { fixKey } from "@localstreet/oracle/ledger";
import { type KeptLine, keepLine } from "./kept-line.ts";
import { type Frame, type LeanSocket, openLeanSocket } from "./lean-socket.ts";
import { type Ledgers, SHOP, type ShopKit, socketUrl } from "./shop-kit.ts";

/** Göteborg, Brunnsparken. */
const START = { lat: 57.7072, lng: 11.9668 };
const DESTINATION = { lat: 57.70455, lng: 11.96955 };
/** About ten metres. */
const STEP_DEGREES = 0.0001;
/** Half of what one person may have open: a killed replica's connections count for a while beside the new ones. */
const BUYER_DEVICES = 5;

/** A courier on the way, and everybody who watches it: devices of the buyer, and of the vendor's staff. */
export async function openWatches(
  kit: ShopKit,
  ledgers: Ledgers,
): Promise<{ lines: KeptLine[]; move(): Promise<void>; end(): Promise<void> }> {
  const { name, vendorId } = kit;
  const deliveryId = `${name}-delivery`;
  const driverId = `${name}-courier`;
  const buyerId = `${name}-buyer-0`;
  const watchers = Array.from({ length: SHOP.watchers }, (_, index) => `${name}-watcher-${index}`);
  const driverToken = await kit.sign("driver", driverId);
  const url = socketUrl(kit.target, "/api/tracking/ws");
  let moves = 0;

  async function putDelivery(status: "picked_up" | "delivered"): Promise<number> {
    const path = `/api/deliveries/${deliveryId}`;
    const destination = DESTINATION;
    const orderId = `${name}-order-1`;
    const delivery = { driverId, buyerId, vendorId, orderId, destination, status };
    const answer = await kit.caller.insist("PUT", path, kit.serviceToken, delivery);
    return answer.status;
  }

  const status = await putDelivery("picked_up");
  // 200 when the answer before was lost.
  if (status !== 201 && status !== 200) throw new Error(`a new delivery was answered ${status}`);

  async function open(receiver: string, index: number): Promise<KeptLine> {
    // Some are the buyer's own devices, the others are staff.
    const token = await (index % 2 === 0 && index < 2 * BUYER_DEVICES
      ? kit.sign("buyer", buyerId)
      : kit.sign("vendor", receiver, [vendorId]));
    const localAddress = kit.nextAddress();
    let newestMs = 0;

    function show(position: Frame): void {
      const recordedAtMs = Date.parse(String(position.recordedAt));
      if (recordedAtMs === newestMs) {
        ledgers.tracking.dropped(receiver, "known already");
        return;
      }
      newestMs = Math.max(newestMs, recordedAtMs);
      ledgers.tracking.receive(receiver, {
        key: fixKey(deliveryId, recordedAtMs),
        seq: recordedAtMs,
        group: deliveryId,
        atMs: nowMs(),
      });
    }

    return keepLine(kit.counts, (opened, ended) => {
      const socket: LeanSocket = openLeanSocket({
        url,
        token,
        localAddress,
        onOpen: () => socket.send({ type: "watch-delivery", ref: 1, deliveryId }),
        onFrame(frame) {
          if (frame.type === "location-update") show(frame);
          else if (frame.type === "watching") {
            opened();
            const { position } = frame.driver as { position: Frame | null };
            if (position) show(position);
          } else if (frame.type === "error") {
            socket.close();
            ended(`watching was answered ${String(frame.code)}`);
          }
        },
        onEnd: ended,
      });
      return socket;
    });
  }

  return {
    lines: await Promise.all(watchers.map(open)),
    async move() {
      moves += 1;
      const recordedAtMs = Date.now();
      const key = fixKey(deliveryId, recordedAtMs);
      const group = deliveryId;
      ledgers.tracking.offer(key, { audience: watchers, group, atMs: nowMs() });
      const { status, body } = await kit.caller.call(
        "POST",
        `/api/driver/${driverId}/location`,
        driverToken,
        {
          lat: START.lat + (moves % 1_000) * STEP_DEGREES,
          lng: START.lng,
          recordedAt: new Date(recordedAtMs).toISOString(),
        },
      );
      if (status === 204) {
        ledgers.tracking.acknowledge(key, { seq: recordedAtMs, group, atMs: nowMs() });
      } else {
        const code = String(body.code ?? status);
        ledgers.tracking.refuse(key, { code, mayExist: status === 0 || status >= 500 });
      }
    },
    async end() {
      await putDelivery("delivered");
    },
  };
}

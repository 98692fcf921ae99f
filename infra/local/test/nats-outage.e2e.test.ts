import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Platform } from "../src/platform.ts";
import { createMarketplace, orderIdsOf, startTestPlatform } from "./marketplace.ts";

let platform: Platform;
let market: ReturnType<typeof createMarketplace>;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ platform, stop } = await startTestPlatform());
  market = createMarketplace(platform);
});

afterAll(async () => {
  await stop?.();
});

const VENDORS = 30;
const PUBLISHERS = 6;

test("S3 S11 G5: NATS dies twice under orders for 30 vendors, then silence: every acknowledged order arrives within 12 s", async () => {
  const vendorIds = Array.from({ length: VENDORS }, (_, index) => `vendor-${index}`);
  const streams = await Promise.all(
    vendorIds.map(async (vendorId) => [vendorId, await market.openVendorStream(vendorId)] as const),
  );
  const acknowledged = new Map<string, string[]>(vendorIds.map((vendorId) => [vendorId, []]));
  let refusals = 0;
  let isOver = false;

  /** Orders for the vendors in turn. A refused one is sent again, as its backend would, until it is acknowledged. */
  async function publish(publisher: number): Promise<void> {
    for (let n = 0; !isOver; n++) {
      const vendorId = vendorIds[(n * PUBLISHERS + publisher) % VENDORS] as string;
      const orderId = `order-${publisher}-${n}`;
      for (;;) {
        const answer = await market.postOrder(vendorId, orderId);
        await answer.body?.cancel();
        if (answer.status === 202) break;
        refusals += 1;
        expect(answer.status).toBe(503);
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
        if (isOver) return;
      }
      acknowledged.get(vendorId)?.push(orderId);
    }
  }

  const count = () => [...acknowledged.values()].reduce((sum, ids) => sum + ids.length, 0);
  const publishing = Promise.all(Array.from({ length: PUBLISHERS }, (_, n) => publish(n)));
  for (let kill = 1; kill <= 2; kill++) {
    const before = count();
    await until(() => count() > before + 150, {
      what: "orders before the kill",
      timeoutMs: 15_000,
    });
    platform.hold("nats");
    await platform.stores.nats.kill("SIGKILL");
    const refusedBefore = refusals;
    await until(() => refusals > refusedBefore, { what: "a refused order", timeoutMs: 15_000 });
    platform.release("nats");
    const atRestart = count();
    await until(() => count() > atRestart, { what: "orders after it", timeoutMs: 20_000 });
  }
  isOver = true;
  await publishing;

  await until(
    () =>
      streams.every(([vendorId, stream]) => {
        const arrived = new Set(orderIdsOf(stream.events));
        return (acknowledged.get(vendorId) as string[]).every((orderId) => arrived.has(orderId));
      }),
    { what: "every acknowledged order on its stream", timeoutMs: 12_000 },
  );
  for (const [vendorId, stream] of streams) {
    const arrived = orderIdsOf(stream.events);
    expect(new Set(arrived).size, `${vendorId}: nothing twice`).toBe(arrived.length);
    const sequences = stream.events
      .filter((event) => event.event === "new-order")
      .map((event) => Number(event.id.split("-")[1]));
    expect(sequences, `${vendorId}: in order`).toEqual([...sequences].sort((a, b) => a - b));
    stream.close();
  }
});

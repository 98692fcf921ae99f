import { type Bus, connectBus } from "@localstreet/bus/connection";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { ensureStreams } from "@localstreet/bus/streams";
import { openSubjectLog } from "@localstreet/bus/subject-log";
import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { startOrderProjection } from "@localstreet/notification-sse/record/order-projection";
import { startTestStores } from "@localstreet/testkit/stores";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { openRecordInMemory, type RecordInMemory } from "../src/record-in-memory.ts";

const deadlines = {
  ...{ remindAfterMs: 30_000, remindEveryMs: 30_000, escalateAfterMs: 120_000 },
  ...{ nobodyAfterMs: 10_000, expireAfterMs: 600_000 },
};

async function project(bus: Bus, store: RecordInMemory, holder: string) {
  return startOrderProjection({
    ...{ bus, store, holder, deadlines },
    log: await openSubjectLog(bus, VENDOR_STREAM),
    settings: { tickMs: 20, leaseMs: 60_000, eventsAtOnce: 3, gatherMs: 1, checkpointEvents: 4 },
    logger: { info() {}, warn() {}, error() {} },
    metrics: { applied() {}, standAside() {}, foreign() {}, setAside() {} },
  });
}

test("S30: the projection runs over a record in memory, and hands it over", async () => {
  await using stores = await startTestStores({ nats: true });
  const bus = await connectBus({ ...stores.nats.as("admin"), name: "test" });
  await ensureStreams(bus);
  const vendorId = vendorIdSchema.parse("bakery");
  const at = new Date().toISOString();
  async function place(name: string): Promise<void> {
    const buyerId = personIdSchema.parse("ana");
    const items = [{ name: "Kanelbulle", quantity: 1, unitPrice: 700 }];
    const order = { orderId: orderIdSchema.parse(name), vendorId, buyerId, items };
    const data = { ...order, total: 700, currency: "SEK", placedAt: at };
    await publishVendorEvent(bus, { vendorId, kind: "new-order", data });
  }
  const store = openRecordInMemory();
  const isThere = (count: number) =>
    until(() => store.rows().length === count, { what: `${count} orders` });
  const one = await project(bus, store, "one");
  const two = await project(bus, store, "two");
  for (let n = 0; n < 10; n++) await place(`order-${n}`);
  await isThere(10);
  await one.stop();
  await place("order-10");
  await isThere(11);
  expect(store.position().sequence).toBe(11);
  expect((await store.checkpoints()).length).toBeGreaterThan(1);
  await until(() => store.throughAt() !== null, { what: "the end of the log" });
  await two.stop();
  await bus.close();
});

import { type Bus, busOver } from "@localstreet/bus/connection";
import { openLogReader } from "@localstreet/bus/log-reader";
import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { openSubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog } from "@localstreet/bus/subject-log";
import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import {
  LIVE_PREFIX,
  VENDOR_STREAM,
  VENDOR_STREAM_SUBJECTS,
} from "@localstreet/contracts/subjects";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { NatsModel } from "../src/model/nats-model.ts";
import { startPump } from "./pump.ts";

const quiet = { info() {}, warn() {}, error() {} };

function createModel(): NatsModel {
  return new NatsModel({
    stream: VENDOR_STREAM,
    subjects: VENDOR_STREAM_SUBJECTS,
    livePrefix: LIVE_PREFIX,
    epoch: "aaaaaaaa",
    maxAgeMs: 60_000,
    duplicateWindowMs: 60_000,
    nowMs: () => Date.now(),
  });
}

function publishOrder(bus: Bus, orderId: string) {
  const vendorId = vendorIdSchema.parse("bakery");
  return publishVendorEvent(bus, {
    vendorId,
    kind: "new-order",
    data: {
      orderId: orderIdSchema.parse(orderId),
      vendorId,
      buyerId: personIdSchema.parse("buyer-1"),
      items: [{ name: "Bread", quantity: 1, unitPrice: 350 }],
      total: 350,
      currency: "EUR",
      placedAt: new Date(0).toISOString(),
    },
  });
}

test("a bus over the model publishes, follows, fills a hole after a disconnect, and reads the log", async () => {
  const model = createModel();
  const connection = model.connect();
  const pump = startPump(connection);
  const bus = await busOver(connection.nats, { user: "notification-sse" });
  const log = await openSubjectLog(bus, VENDOR_STREAM);
  const feed = openSubjectFeed({ bus, log, logger: quiet });
  const seen: number[] = [];
  const following = await feed.follow("vendor.bakery.orders", ({ sequence }) =>
    seen.push(sequence),
  );
  expect(following.start.sequence).toBe(0);
  expect(await publishOrder(bus, "o-1")).toMatchObject({ status: "stored", sequence: 1 });
  expect(await publishOrder(bus, "o-1")).toMatchObject({ status: "duplicate", sequence: 1 });
  await until(() => seen.length === 1, { what: "the live copy" });

  connection.disconnect();
  await until(() => !bus.isConnected(), { what: "the bus knows that it is disconnected" });
  for (let n = 2; n <= 7; n++) {
    const messageId = `bakery:new-order:o-${n}`;
    model.log.publish({ subject: "vendor.bakery.orders", messageId, data: Buffer.from("{}") });
  }
  expect(connection.liveCount).toBe(0);
  connection.reconnect();
  await until(() => seen.length === 7, { what: "what was missed" });
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);

  const reader = openLogReader(bus, VENDOR_STREAM, { afterSequence: 2, batch: 3 });
  const page = await reader.next(1_000);
  expect(page.events.map(({ sequence }) => sequence)).toEqual([3, 4, 5]);
  expect(page).toMatchObject({ atEnd: false, endSequence: 7 });
  expect((await reader.next(1_000)).atEnd).toBe(true);
  reader.close();
  expect((await log.last("vendor.bakery.orders", 2, 7)).map(({ sequence }) => sequence)).toEqual([
    6, 7,
  ]);
  feed.close();
  await bus.close();
  pump.stop();
});

import { orderAcceptedSchema } from "@localstreet/contracts/order";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  postOrder,
  startNotification,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification();
});
afterAll(() => notification.stop());

async function devicesOf(replica: 0 | 1, vendorId: string): Promise<number | null> {
  const response = await postOrder(notification.replicas[replica], vendorId, newOrder());
  return orderAcceptedSchema.parse(await response.json()).devices;
}

/** Until every replica tells the same number. */
async function untilDevices(vendorId: string, wanted: number | null): Promise<void> {
  for (const replica of [0, 1] as const) {
    await until(async () => (await devicesOf(replica, vendorId)) === wanted, {
      what: `${wanted} devices on replica ${replica}`,
    });
  }
}

test("S18: an order's sender is told how many streams of the vendor are open over all replicas", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  await untilDevices(vendorId, 0);
  const streams = [
    await openVendorStream(one, vendorId),
    await openVendorStream(two, vendorId),
    await openVendorStream(two, vendorId, { path: "activity/stream" }),
  ];
  const other = await openVendorStream(one, newVendor());
  await untilDevices(vendorId, 3);
  streams[1]?.close();
  await untilDevices(vendorId, 2);
  for (const stream of [...streams, other]) stream.close();
  await untilDevices(vendorId, 0);
});

test("S18 S3: while Redis is away devices are not known, and the order is accepted all the same", async () => {
  const vendorId = newVendor();
  await untilDevices(vendorId, 0);
  await notification.stores.redis.kill();
  const startedMs = performance.now();
  expect(await devicesOf(0, vendorId)).toBeNull();
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  await notification.stores.redis.start();
  await untilDevices(vendorId, 0);
});

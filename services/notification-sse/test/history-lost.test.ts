import { deleteStream, purgeStream } from "@localstreet/bus/stream-administration";
import { ensureStreams } from "@localstreet/bus/streams";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  isOrder,
  type Notification,
  newOrder,
  newVendor,
  openVendorStream,
  ordersOf,
  postOrder,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification({ TAIL_CHECK_MS: "300" });
});
afterAll(() => notification.stop());

test("S6: gap, when events after the id are no longer kept, with those that are", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const [first, , third] = [
    await storeOrder(one, vendorId, newOrder({ orderId: "g-1" })),
    await storeOrder(one, vendorId, newOrder({ orderId: "g-2" })),
    await storeOrder(one, vendorId, newOrder({ orderId: "g-3" })),
  ];
  await purgeStream(notification.bus, VENDOR_STREAM, 1);
  const behind = await openVendorStream(two, vendorId, { lastEventId: first });
  expect(behind.resume).toMatchObject({ status: "gap", from: first, to: third, replayed: 1 });
  await behind.next(isOrder);
  expect(ordersOf(behind)).toEqual(["g-3"]);
  // Whoever has the newest misses nothing, though all before it is gone.
  const current = await openVendorStream(two, vendorId, { lastEventId: third });
  expect(current.resume).toMatchObject({ status: "complete", replayed: 0 });
  behind.close();
  current.close();
});

test("S6 S10: a log that was made anew sends its streams away, and their old ids are reset", async () => {
  const [one, two] = notification.replicas;
  const vendorId = newVendor();
  const id = await storeOrder(one, vendorId);
  const stream = await openVendorStream(two, vendorId);
  await deleteStream(notification.bus, VENDOR_STREAM);
  await ensureStreams(notification.bus);
  // The next tail check finds another log; an order makes it soon.
  await until(async () => (await postOrder(one, vendorId)).status === 202, { what: "an order" });
  await stream.next(({ event }) => event === "goaway", 15_000);
  await stream.ended;
  const again = await openVendorStream(two, vendorId, { lastEventId: id });
  expect(again.resume.status).toBe("reset");
  await storeOrder(one, vendorId, newOrder({ orderId: "after" }));
  await again.next((event) => isOrder(event) && JSON.parse(event.data).orderId === "after");
  again.close();
});

import { tokenFor } from "@localstreet/testkit/tokens";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  openAsBuyer,
  putDelivery,
  startTracking,
  storeDelivery,
  type Tracking,
  watch,
} from "./start-tracking.ts";

let tracking: Tracking;
beforeAll(async () => {
  tracking = await startTracking({
    REQUESTS_PER_SECOND: "1",
    // A busy machine answers late, and a replica would count alone.
    RATE_WAIT_MS: "5000",
    REDIS_TIMEOUT_MS: "5000",
    REQUESTS_BURST: "40",
    OPENINGS_PER_SECOND: "1",
    OPENINGS_BURST: "10",
  });
});
afterAll(() => tracking.stop());

test("E19 E20: one person's requests and sockets are limited over both replicas, a backend's requests are not", async () => {
  const { deliveryId, delivery } = await storeDelivery(tracking.fanout[0]);
  const authorization = `Bearer ${await tokenFor({ role: "buyer", sub: delivery.buyerId })}`;
  const startMs = performance.now();
  const statuses: number[] = [];
  for (let turn = 0; turn < 100; turn += 1) {
    const { url } = tracking.fanout[turn % 2 ? 1 : 0];
    const response = await fetch(`${url}/api/deliveries/${deliveryId}`, {
      headers: { authorization },
    });
    statuses.push(response.status);
    expect(response.headers.has("retry-after")).toBe(response.status === 429);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const taken = statuses.filter((status) => status === 200).length;
  expect(taken).toBeGreaterThanOrEqual(40);
  expect(taken).toBeLessThanOrEqual(40 + seconds + 2 * 4 + 1);
  for (let turn = 0; turn < 100; turn += 1) {
    expect((await putDelivery(tracking.fanout[0], deliveryId, delivery)).status).toBe(200);
  }

  const socketsAtMs = performance.now();
  let opened = 0;
  for (let turn = 0; turn < 30; turn += 1) {
    const socket = await openAsBuyer(tracking.fanout[turn % 2 ? 1 : 0], delivery.buyerId);
    const { type } = await socket.next((frame) => ["authenticated", "goaway"].includes(frame.type));
    if (type === "authenticated") {
      opened += 1;
      expect(await watch(socket, deliveryId)).toMatchObject({ type: "watching" });
    }
    socket.close();
    const { code } = await socket.closed;
    if (type === "goaway") expect(code).toBe(4429);
  }
  expect(opened).toBeGreaterThanOrEqual(10);
  expect(opened).toBeLessThanOrEqual(10 + (performance.now() - socketsAtMs) / 1_000 + 2 + 1);
});

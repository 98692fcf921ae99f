import { openEventStream } from "@localstreet/testkit/sse-client";
import { tokenFor } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Notification,
  newVendor,
  openVendorStream,
  postOrder,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

let notification: Notification;
beforeAll(async () => {
  notification = await startNotification({
    REQUESTS_PER_SECOND: "5",
    // A busy machine answers late, and a replica would count alone.
    RATE_WAIT_MS: "5000",
    REDIS_TIMEOUT_MS: "5000",
    REQUESTS_BURST: "100",
    OPENINGS_PER_SECOND: "1",
    OPENINGS_BURST: "20",
  });
});
afterAll(() => notification.stop());

/** A vendor with a member of staff that no other test knows. */
async function newStaff() {
  const vendorId = newVendor();
  const token = await tokenFor({ role: "vendor", sub: `of-${vendorId}`, vendors: [vendorId] });
  const authorization = `Bearer ${token}`;
  const list = async (replica: 0 | 1) => {
    const url = `${notification.replicas[replica].url}/api/vendor/${vendorId}/orders`;
    const response = await fetch(url, { headers: { authorization } });
    return { response, body: await response.json() };
  };
  return { vendorId, token, list };
}

/** The clock of a busy machine is late. */
const LATE_MS = 2_000;

test("E19: a person who lists orders 1,000 times through two replicas is answered as often as the limit says, not twice as often", async () => {
  const { vendorId, list } = await newStaff();
  await storeOrder(notification.replicas[0], vendorId);
  const startMs = performance.now();
  const answers = [];
  for (let round = 0; round < 50; round += 1) {
    const sides = Array.from({ length: 20 }, (_, index) => list(index % 2 ? 0 : 1));
    answers.push(...(await Promise.all(sides)));
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const refused = answers.filter(({ response }) => response.status === 429);
  const taken = answers.length - refused.length;
  // The burst, what came since, and what each replica lets through before it asks.
  expect(taken).toBeGreaterThanOrEqual(100);
  expect(taken).toBeLessThanOrEqual(100 + 5 * seconds + 2 * 10 + 1);
  expect(refused[0]?.body).toMatchObject({ code: "rate-limited", status: 429 });

  // A colleague is another person, and a backend has a limit of its own.
  const colleague = await newStaff();
  expect((await colleague.list(0)).response.status).toBe(200);
  expect((await postOrder(notification.replicas[0], vendorId)).status).toBe(202);
});

test("E19: the wait that a refusal names is enough, on every replica", async () => {
  const { list } = await newStaff();
  const status = async (replica: 0 | 1) => (await list(replica)).response.status;
  for (const replica of [0, 1] as const) {
    await until(async () => (await status(replica)) === 429, {
      what: "a refusal",
      timeoutMs: 10_000,
    });
    const { response } = await list(replica);
    const waitMs = Number(response.headers.get("retry-after")) * 1_000;
    const refusedAtMs = performance.now();
    await until(async () => (await status(replica)) === 200, {
      what: "an answer",
      timeoutMs: 10_000,
    });
    expect(performance.now() - refusedAtMs).toBeLessThan(waitMs + LATE_MS);
  }
});

test("E19: a page that is opened six times and reads what it needs is never refused", async () => {
  const { vendorId, token, list } = await newStaff();
  const tabs = await Promise.all(
    Array.from({ length: 6 }, async (_, tab) => {
      const replica = tab % 2 ? 0 : 1;
      const statuses = [await list(replica), await list(replica)].map(
        ({ response }) => response.status,
      );
      const stream = await openVendorStream(notification.replicas[replica], vendorId, {
        token,
        path: "activity/stream",
      });
      return { statuses, stream };
    }),
  );
  for (const { statuses, stream } of tabs) {
    expect(statuses).toEqual([200, 200]);
    stream.close();
  }
});

test("E20 E5: streams that are opened and closed at once are refused past the limit over both replicas, and the wait is enough", async () => {
  const { vendorId, token } = await newStaff();
  const open = async (replica: 0 | 1) => {
    const url = `${notification.replicas[replica].url}/api/vendor/${vendorId}/notifications/stream`;
    const stream = await openEventStream(url, { token });
    const first = await stream.next();
    stream.close();
    return { first, retryMs: stream.retries[0] ?? 0, status: stream.response.status };
  };
  const startMs = performance.now();
  const openings = [];
  // Fewer than the requests that a person may make.
  for (let count = 0; count < 60; count += 1) openings.push(await open(count % 2 ? 0 : 1));
  const seconds = (performance.now() - startMs) / 1_000;
  const refused = openings.filter(({ first }) => first.event === "error");
  const opened = openings.length - refused.length;
  expect(opened).toBeGreaterThanOrEqual(20);
  expect(opened).toBeLessThanOrEqual(20 + seconds + 2 * 2 + 1);
  const [one] = refused;
  if (!one) throw new Error("nothing was refused");
  const told = JSON.parse(one.first.data);
  expect(one.status).toBe(200);
  expect(told).toMatchObject({ code: "rate-limited", retryable: true });
  expect(told.retryAfterMs).toBeGreaterThan(0);
  expect(one.retryMs).toBeGreaterThanOrEqual(told.retryAfterMs);
  const last = openings.findLast(({ first }) => first.event === "error");
  const { retryAfterMs } = JSON.parse(last?.first.data ?? "");
  const refusedAtMs = performance.now();
  await until(async () => (await open(0)).first.event === "resume", {
    what: "a stream",
    timeoutMs: 15_000,
  });
  expect(performance.now() - refusedAtMs).toBeLessThan(retryAfterMs + LATE_MS);
});

test("E19 E20: without Redis each replica limits what it alone can count, and nothing is refused for want of it", async () => {
  const before = await newStaff();
  await notification.stores.redis.kill();
  try {
    const { vendorId, token, list } = await newStaff();
    const statuses = [];
    for (let count = 0; count < 130; count += 1) statuses.push((await list(0)).response.status);
    expect(statuses.slice(0, 100)).toEqual(Array(100).fill(200));
    expect(statuses).toContain(429);
    expect((await before.list(1)).response.status).toBe(200);
    const stream = await openVendorStream(notification.replicas[1], vendorId, { token });
    stream.close();
  } finally {
    await notification.stores.redis.start();
  }
  // Once it is back, the two count together again.
  await until(
    async () => {
      const { list } = await newStaff();
      const sides = Array.from({ length: 220 }, (_, index) => list(index % 2 ? 0 : 1));
      const answers = await Promise.all(sides);
      return answers.filter(({ response }) => response.status === 200).length <= 150;
    },
    { what: "the limit holds over both replicas", timeoutMs: 20_000 },
  );
});

import { spawn } from "node:child_process";
import { join } from "node:path";
import { TEST_SECRET } from "@localstreet/testkit/tokens";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHECKOUT } from "../src/checkout.ts";
import type { Platform } from "../src/platform.ts";
import { SERVICE_NAMES } from "../src/services.ts";
import {
  createMarketplace,
  freshId,
  orderIdsOf,
  replicaOf,
  startTestPlatform,
} from "./marketplace.ts";

let platform: Platform;
let dataDir: string;
let market: ReturnType<typeof createMarketplace>;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ platform, dataDir, stop } = await startTestPlatform());
  market = createMarketplace(platform);
});

afterAll(async () => {
  await stop?.();
});

/** On which replicas the publisher and the subscriber are to be. */
interface Replicas {
  publisher: 1 | 2;
  subscriber: 1 | 2;
}

/** Repeats a request until the wanted replica has answered one. @returns every answer. */
async function untilAnsweredBy(
  replica: string,
  send: () => Promise<Response>,
): Promise<Response[]> {
  const answers: Response[] = [];
  await until(
    async () => {
      const answer = await send();
      answers.push(answer);
      return replicaOf(answer) === replica;
    },
    { what: `an answer of ${replica}` },
  );
  return answers;
}

async function orderReachesStream({ publisher, subscriber }: Replicas): Promise<void> {
  const vendorId = freshId("vendor");
  const stream = await market.openVendorStream(vendorId, { on: `notification-sse-${subscriber}` });
  const orderIds: string[] = [];
  const accepted = await untilAnsweredBy(`notification-sse-${publisher}`, async () => {
    const orderId = freshId("order");
    orderIds.push(orderId);
    return await market.postOrder(vendorId, orderId);
  });
  for (const [index, answer] of accepted.entries()) {
    expect(answer.status).toBe(202);
    const { id, duplicate } = (await answer.json()) as { id: string; duplicate: boolean };
    expect(duplicate).toBe(false);
    const event = await stream.next((candidate) => candidate.event === "new-order");
    expect(event.id).toBe(id);
    expect(JSON.parse(event.data).orderId).toBe(orderIds[index]);
  }
  stream.close();
}

async function messageReachesBothSides({ publisher, subscriber }: Replicas): Promise<void> {
  const vendorId = freshId("vendor");
  const buyerId = freshId("buyer");
  const buyer = await market.openSocketOf(
    "chat",
    await market.buyerToken(buyerId),
    `chat-ws-${publisher}`,
  );
  const buyersTablet = await market.openSocketOf(
    "chat",
    await market.buyerToken(buyerId),
    `chat-ws-${subscriber}`,
  );
  const staff = await Promise.all(
    ["first", "second"].map(async (name) =>
      market.openSocketOf(
        "chat",
        await market.vendorToken(vendorId, `${name}-of-${vendorId}`),
        `chat-ws-${subscriber}`,
      ),
    ),
  );
  const clientMessageId = freshId("message");
  const message = { clientMessageId, to: vendorId, content: "Are the buns warm?" };
  buyer.send({ type: "send-message", ref: 1, ...message });
  const ack = await buyer.next((frame) => frame.type === "ack");
  expect(ack).toMatchObject({ ref: 1, clientMessageId, seq: 1, duplicate: false });
  for (const device of [buyersTablet, ...staff]) {
    const pushed = await device.next((frame) => frame.type === "message");
    expect(pushed).toMatchObject({
      messageId: ack.messageId,
      seq: 1,
      senderId: buyerId,
      side: "buyer",
      content: message.content,
    });
  }

  buyer.send({ type: "send-message", ref: 2, ...message });
  const again = await buyer.next((frame) => frame.type === "ack" && frame.ref === 2);
  expect(again).toMatchObject({ messageId: ack.messageId, seq: 1, duplicate: true });
  const history = await market.request(
    "GET",
    `/api/chat/conversations/${ack.conversationId}/messages`,
    await market.vendorToken(vendorId),
  );
  const { messages } = (await history.json()) as { messages: { messageId: string }[] };
  expect(messages.map((stored) => stored.messageId)).toEqual([ack.messageId]);
  for (const device of [buyer, buyersTablet, ...staff]) device.close();
}

async function fixReachesWatcher({ publisher, subscriber }: Replicas): Promise<void> {
  const driverId = freshId("driver");
  const buyerId = freshId("buyer");
  const deliveryId = freshId("delivery");
  const delivery = {
    driverId,
    buyerId,
    vendorId: "corner-bakery",
    orderId: freshId("order"),
    destination: { lat: 57.7, lng: 11.97 },
    status: "picked_up",
  };
  expect((await market.putDelivery(deliveryId, delivery)).status).toBe(201);
  const watcher = await market.openSocketOf(
    "tracking",
    await market.buyerToken(buyerId),
    `tracking-fanout-${subscriber}`,
  );
  watcher.send({ type: "watch-delivery", ref: 1, deliveryId });
  const watching = await watcher.next((frame) => frame.ref === 1);
  expect(watching).toMatchObject({ type: "watching", status: "picked_up" });

  let lat = 57.7;
  const answers = await untilAnsweredBy(`tracking-ingest-${publisher}`, async () => {
    lat += 0.000_01;
    return await market.postFix(driverId, { lat, lng: 11.97 });
  });
  // A driver has two fixes a second on each replica; those over it are refused with a 429.
  expect(answers.at(-1)?.status).toBe(204);
  const update = await watcher.next(
    (frame) => frame.type === "location-update" && frame.lat === lat,
  );
  expect(update).toMatchObject({ deliveryId, lng: 11.97 });

  const stranger = await market.openSocketOf("tracking", await market.buyerToken(freshId("buyer")));
  stranger.send({ type: "watch-delivery", ref: 2, deliveryId });
  expect(await stranger.next((frame) => frame.ref === 2)).toMatchObject({
    type: "error",
    code: "not-found",
  });
  stranger.close();
  watcher.close();
}

async function dashboardShowsBoth({ publisher, subscriber }: Replicas): Promise<void> {
  const vendorId = freshId("vendor");
  const dashboard = await market.openVendorStream(vendorId, {
    kind: "activity",
    on: `notification-sse-${subscriber}`,
  });
  const accepted = await untilAnsweredBy(
    `notification-sse-${publisher}`,
    async () => await market.postOrder(vendorId, freshId("order")),
  );
  const { id } = (await (accepted.at(-1) as Response).json()) as { id: string };
  await dashboard.next((event) => event.event === "new-order" && event.id === id);

  const buyer = await market.openSocketOf(
    "chat",
    await market.buyerToken(freshId("buyer")),
    `chat-ws-${publisher}`,
  );
  const content = "One more, please";
  buyer.send({ type: "send-message", clientMessageId: freshId("message"), to: vendorId, content });
  await buyer.next((frame) => frame.type === "ack");
  const activity = await dashboard.next((event) => event.event === "activity");
  expect(JSON.parse(activity.data)).toMatchObject({ kind: "chat", side: "buyer", text: content });
  buyer.close();
  dashboard.close();
}

const paths = [
  ["S5: an order reaches its vendor's stream", orderReachesStream],
  ["C3 C5: a message reaches every device of both sides, once", messageReachesBothSides],
  ["T5 T6: a fix reaches those who may watch", fixReachesWatcher],
  ["S12: the dashboard shows orders and chats", dashboardShowsBoth],
] as const;

const pairs: Replicas[] = [
  { publisher: 1, subscriber: 2 },
  { publisher: 2, subscriber: 1 },
];

for (const [name, path] of paths) {
  for (const pair of pairs) {
    test(`${name}, from replica ${pair.publisher} to replica ${pair.subscriber}`, () => path(pair));
  }
}

test("S5: both replicas bring the same events in the same order with the same ids", async () => {
  const vendorId = freshId("vendor");
  const streams = await Promise.all(
    [1, 2].map((n) => market.openVendorStream(vendorId, { on: `notification-sse-${n}` })),
  );
  const orderIds = Array.from({ length: 50 }, () => freshId("order"));
  await Promise.all(orderIds.map((orderId) => market.postOrder(vendorId, orderId)));
  for (const stream of streams) {
    await until(() => orderIdsOf(stream.events).length >= orderIds.length, { what: "all orders" });
    expect(orderIdsOf(stream.events).sort()).toEqual([...orderIds].sort());
  }
  const [first, second] = streams.map((stream) =>
    stream.events.filter((event) => event.event === "new-order"),
  );
  expect(first).toEqual(second);
  for (const stream of streams) stream.close();
});

test("S5 S6: a stream whose replica is killed continues on another, nothing lost, nothing twice", async () => {
  const vendorId = freshId("vendor");
  const broken = await market.openVendorStream(vendorId, { on: "notification-sse-1" });
  const before = await market.postOrder(vendorId, "before");
  expect(before.status).toBe(202);
  const seen = await broken.next((event) => event.event === "new-order");

  platform.hold("notification-sse-1");
  await platform.replica("notification-sse-1").kill("SIGKILL");
  await broken.ended;
  expect((await market.postOrder(vendorId, "meanwhile")).status).toBe(202);

  const resumed = await market.openVendorStream(vendorId, { lastEventId: seen.id });
  expect(replicaOf(resumed.response)).toBe("notification-sse-2");
  expect(JSON.parse(resumed.events[0]?.data as string)).toMatchObject({
    status: "complete",
    from: seen.id,
  });
  expect((await market.postOrder(vendorId, "after")).status).toBe(202);
  await until(() => orderIdsOf(resumed.events).includes("after"), { what: "the last order" });
  expect(orderIdsOf(resumed.events)).toEqual(["meanwhile", "after"]);
  resumed.close();
  platform.release("notification-sse-1");
});

test("G4: with one replica of each service killed, all four paths work on the other", async () => {
  for (const service of SERVICE_NAMES) platform.hold(`${service}-1`);
  await Promise.all(
    SERVICE_NAMES.map((service) => platform.replica(`${service}-1`).kill("SIGKILL")),
  );
  for (const [, path] of paths) await path({ publisher: 2, subscriber: 2 });
  for (const service of SERVICE_NAMES) platform.release(`${service}-1`);
});

test("G4: a killed replica is started again, and the paths cross both once more", async () => {
  for (const service of SERVICE_NAMES) {
    const { adminUrl } = platform.replica(`${service}-1`);
    expect(adminUrl).toMatch(/^http/);
    await until(
      async () => {
        const ready = await fetch(`${platform.replica(`${service}-1`).adminUrl}/readyz`).catch(
          () => null,
        );
        return ready?.ok === true;
      },
      { what: `${service}-1 is ready again`, timeoutMs: 20_000 },
    );
  }
  for (const [, path] of paths) {
    for (const pair of pairs) await path(pair);
  }
});

test("O1: metrics are on the inner port, and not behind the gateway", async () => {
  for (const replica of platform.replicas) {
    const metrics = await fetch(`${replica.adminUrl}/metrics`);
    expect(metrics.status, replica.name).toBe(200);
    expect((await fetch(`${replica.url}/metrics`)).status, replica.name).toBe(404);
  }
  for (const path of ["/metrics", "/healthz", "/readyz"]) {
    expect((await fetch(platform.url + path)).status).toBe(404);
  }
});

test.each([
  ["city-day", "3", "8"],
  ["hold", "40", "2"],
])(
  "the scenario %s at its smallest: the oracle finds nothing lost",
  async (name, size, seconds) => {
    const options = ["--target", platform.url, "--size", size, "--seconds", seconds];
    const run = spawn(process.execPath, ["loadtests/run.mjs", name, ...options], {
      cwd: CHECKOUT,
      env: { ...process.env, AUTH_JWT_SECRET: TEST_SECRET, LOCALSTREET_DIR: join(dataDir, "runs") },
    });
    let output = "";
    for (const stream of [run.stdout, run.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    const code = await new Promise((resolve) => run.once("close", resolve));
    expect(output).toMatch(/^passed: Nothing was lost: [1-9]/m);
    expect(code).toBe(0);
  },
);

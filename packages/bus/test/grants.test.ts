import { connectBus } from "@localstreet/bus/connection";
import { openSubjectLog } from "@localstreet/bus/subject-log";
import { inboxPrefix, type StoreUser } from "@localstreet/contracts/grants";
import { connect, PermissionViolationError } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Marketplace, startMarketplace } from "./marketplace.ts";

let market: Marketplace;
beforeAll(async () => {
  market = await startMarketplace();
});
afterAll(() => market[Symbol.asyncDispose]());

/** What the server refuses a user of all that it tries, as `publish subject` and `subscription subject`. */
async function refusedOf(
  user: StoreUser,
  tries: { publish: readonly string[]; subscribe: readonly string[] },
): Promise<string[]> {
  const { servers, password } = market.nats.as(user);
  const nats = await connect({ servers, user, pass: password, inboxPrefix: inboxPrefix(user) });
  const refused: string[] = [];
  const listening = (async () => {
    for await (const status of nats.status()) {
      if (status.type === "error" && status.error instanceof PermissionViolationError) {
        refused.push(`${status.error.operation} ${status.error.subject}`);
      }
    }
  })();
  for (const subject of tries.publish) nats.publish(subject, "{}");
  for (const subject of tries.subscribe) nats.subscribe(subject, { callback() {} });
  await nats.flush();
  await nats.close();
  await listening;
  return refused;
}

// A forged live copy would be shown as an order that nobody stored.
const nobodyPublishes = [
  "live.vendor.bakery.orders",
  "$JS.API.STREAM.CREATE.OTHER",
  "$JS.API.STREAM.UPDATE.VENDOR",
  "$JS.API.STREAM.DELETE.VENDOR",
  "$JS.API.STREAM.PURGE.VENDOR",
  "$JS.API.STREAM.MSG.DELETE.VENDOR",
  "$JS.API.STREAM.DELETE.KV_deliveries",
  "$JS.API.STREAM.PURGE.KV_deliveries",
  "$JS.API.CONSUMER.CREATE.VENDOR",
  "_INBOX_admin.x",
];
const nobodySubscribes = [
  ">",
  "vendor.*.orders",
  "_INBOX.>",
  "_INBOX_admin.>",
  "$JS.>",
  "$KV.>",
  "live.>",
];

const order = "vendor.bakery.orders";
const readLog = "$JS.API.STREAM.MSG.GET.VENDOR";
const deliveryKey = "$KV.deliveries.d1";
const readDeliveries = "$JS.API.STREAM.MSG.GET.KV_deliveries";
const chat = "live.chat.buyer.b1";
const position = "live.tracking.d1";

const refusals: Record<StoreUser, { publish: string[]; subscribe: string[] }> = {
  "notification-sse": {
    publish: [deliveryKey, chat, position],
    subscribe: ["live.chat.buyer.*", "live.tracking.*", "_INBOX_chat-ws.>"],
  },
  "chat-ws": {
    publish: [order, readLog, deliveryKey, readDeliveries, position],
    subscribe: ["live.vendor.*.orders", "live.tracking.*", "_INBOX_notification-sse.>"],
  },
  "tracking-ingest": {
    publish: [order, readLog, deliveryKey, readDeliveries, chat],
    subscribe: ["live.vendor.*.orders", "live.chat.>", "live.tracking.*"],
  },
  "tracking-fanout": {
    publish: [order, readLog, chat, position],
    subscribe: ["live.vendor.*.orders", "live.chat.>", "_INBOX_tracking-ingest.>"],
  },
  publisher: {
    publish: [deliveryKey, readDeliveries, chat, position, "$JS.API.DIRECT.GET.VENDOR"],
    subscribe: ["live.vendor.*.orders", "live.chat.>", "live.tracking.*"],
  },
};

for (const [user, own] of Object.entries(refusals) as [StoreUser, (typeof refusals)[StoreUser]][]) {
  test(`O4: NATS refuses ${user} what it does not do`, async () => {
    const tries = {
      publish: [...nobodyPublishes, ...own.publish],
      subscribe: [...nobodySubscribes, ...own.subscribe],
    };
    expect((await refusedOf(user, tries)).sort()).toEqual(
      [
        ...tries.publish.map((subject) => `publish ${subject}`),
        ...tries.subscribe.map((subject) => `subscription ${subject}`),
      ].sort(),
    );
  });
}

test("O4: NATS refuses a wrong password, and nobody without one gets in", async () => {
  const { servers } = market.nats.as("publisher");
  await expect(connect({ servers, user: "publisher", pass: "wrong" })).rejects.toThrow();
  await expect(connect({ servers })).rejects.toThrow();
});

test("O4: a call that is refused is no reason to try again", async () => {
  const bus = await connectBus({ ...market.nats.as("chat-ws"), name: "curious" });
  await expect(openSubjectLog(bus, "VENDOR")).rejects.toMatchObject({
    name: expect.not.stringContaining("BusUnavailableError"),
  });
  await bus.close();
});

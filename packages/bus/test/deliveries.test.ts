import { type Bus, BusUnavailableError } from "@localstreet/bus/connection";
import { type Deliveries, openDeliveries } from "@localstreet/bus/deliveries";
import { deliveryIdSchema } from "@localstreet/contracts/ids";
import {
  type Delivery,
  deliverySchema,
  deliveryStatusSchema,
} from "@localstreet/contracts/tracking";
import { until } from "@localstreet/testkit/wait";
import { expect, test } from "vitest";
import { startMarketplace } from "./marketplace.ts";
import { startRelay } from "./relay.ts";

const idOf = (text: string) => deliveryIdSchema.parse(text);

function delivery(status: Delivery["status"], more: Partial<Delivery> = {}): Delivery {
  return {
    ...deliverySchema.parse({
      driverId: "driver-1",
      buyerId: "buyer-1",
      vendorId: "bakery",
      orderId: "order-1",
      destination: { lat: 57.7, lng: 11.97 },
      status,
    }),
    ...more,
  };
}

test("T3: status moves only forward; a repeat changes nothing", async () => {
  await using market = await startMarketplace();
  const deliveries = await openDeliveries(await market.connect("tracking-fanout"));
  const changes: (string | undefined)[] = [];
  deliveries.onChange((_id, now) => changes.push(now?.status));
  const put = (status: Delivery["status"]) => deliveries.put(idOf("d1"), delivery(status));
  expect(await put("assigned")).toBe("created");
  expect(await put("assigned")).toBe("unchanged");
  expect(await put("arriving")).toBe("updated");
  expect(await put("picked_up")).toBe("backwards");
  expect(await put("delivered")).toBe("updated");
  expect(await put("cancelled")).toBe("backwards");
  expect(deliveries.get(idOf("d1"))).toEqual(delivery("delivered"));
  expect(changes).toEqual(["assigned", "arriving", "delivered"]);
});

test("T3: many writers at once never take a delivery back", async () => {
  await using market = await startMarketplace();
  const writers = await Promise.all(
    [1, 2].map(async () => await openDeliveries(await market.connect("tracking-fanout"))),
  );
  const order = deliveryStatusSchema.options;
  const seen: number[] = [];
  writers[0]?.onChange((_id, now) => seen.push(order.indexOf(now?.status ?? "assigned")));
  const outcomes = await Promise.all(
    (["assigned", "picked_up", "arriving", "delivered"] as const).flatMap((status) =>
      writers.map((writer) => writer.put(idOf("d1"), delivery(status))),
    ),
  );
  expect(outcomes.filter((outcome) => outcome === "created").length).toBe(1);
  await until(() => writers.every((writer) => writer.get(idOf("d1"))?.status === "delivered"), {
    what: "both copies",
  });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test("T4 T7: every replica's copy follows, and a delivery written elsewhere is found at once", async () => {
  await using market = await startMarketplace();
  const one = await openDeliveries(await market.connect("tracking-fanout"));
  for (let n = 0; n < 50; n++) await one.put(idOf(`d${n}`), delivery("assigned"));
  const two = await openDeliveries(await market.connect("tracking-fanout"));
  expect(two.size).toBe(50);
  await one.put(idOf("fresh"), delivery("assigned"));
  expect(await two.find(idOf("fresh"))).toEqual(delivery("assigned"));
  expect(await two.find(idOf("nowhere"))).toBeUndefined();

  const changes: [string, string | undefined, string | undefined][] = [];
  two.onChange((id, now, before) => changes.push([id, now?.status, before?.status]));
  await one.put(idOf("d7"), delivery("picked_up"));
  await until(() => changes.length > 0 && changes.at(-1)?.[0] === "d7", { what: "the change" });
  expect(changes.at(-1)).toEqual(["d7", "picked_up", "assigned"]);
});

async function putUntilWritten(deliveries: Deliveries, id: string, value: Delivery) {
  for (;;) {
    try {
      return await deliveries.put(idOf(id), value);
    } catch (error) {
      expect(error).toBeInstanceOf(BusUnavailableError);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test("T7 E7: the copies follow over two kills of NATS, in order and whole, within a second of the reconnect", async () => {
  await using market = await startMarketplace();
  const writer = await openDeliveries(await market.connect("tracking-fanout"));
  const readerBus: Bus = await market.connect("tracking-fanout");
  const reader = await openDeliveries(readerBus);
  const order = deliveryStatusSchema.options;
  const ids = Array.from({ length: 30 }, (_, n) => `d${n}`);
  const seen = new Map<string, number[]>(ids.map((id) => [id, []]));
  reader.onChange((id, now) => seen.get(id)?.push(order.indexOf(now?.status ?? "assigned")));

  const statuses = ["assigned", "picked_up", "arriving", "delivered"] as const;
  for (const [round, status] of statuses.entries()) {
    for (const [n, id] of ids.entries()) {
      if (n === 15 && round % 2 === 1) {
        await market.nats.kill();
        await market.nats.start();
      }
      await putUntilWritten(writer, id, delivery(status));
    }
  }
  await until(() => readerBus.isConnected(), { what: "the reconnect", timeoutMs: 5_000 });
  await until(() => ids.every((id) => reader.get(idOf(id))?.status === "delivered"), {
    what: "the whole copy",
    timeoutMs: 1_000,
  });
  for (const states of seen.values()) expect(states).toEqual([...states].sort((a, b) => a - b));
});

test("T7: a watch whose consumer is lost starts over by itself", async () => {
  await using market = await startMarketplace();
  const bus = await market.connect("tracking-fanout");
  const reader = await openDeliveries(bus, { checkMs: 100 });
  const writer = await openDeliveries(await market.connect("tracking-fanout"));
  for (const { name } of await market.consumers.list("KV_deliveries").next()) {
    await market.consumers.delete("KV_deliveries", name);
  }
  await writer.put(idOf("d1"), delivery("assigned"));
  await until(() => reader.get(idOf("d1")) !== undefined, {
    what: "the delivery",
    timeoutMs: 2_000,
  });
  const { state } = await market.streams.info("KV_deliveries");
  expect(state.consumer_count).toBeLessThanOrEqual(2);
});

test("T7: a watch that was lost while the connection was away is back within a second of the reconnect", async () => {
  await using market = await startMarketplace();
  await using relay = await startRelay(market.nats.port);
  const bus = await market.connect("tracking-fanout", { servers: [relay.url] });
  const reader = await openDeliveries(bus, { checkMs: 600_000 });
  relay.cut();
  await until(() => !bus.isConnected(), { what: "the loss" });
  for (const { name } of await market.consumers.list("KV_deliveries").next()) {
    await market.consumers.delete("KV_deliveries", name);
  }
  const writer = await openDeliveries(await market.connect("tracking-fanout"));
  await writer.put(idOf("d1"), delivery("assigned"));
  relay.restore();
  await until(() => bus.isConnected(), { what: "the reconnect" });
  await until(() => reader.get(idOf("d1")) !== undefined, { what: "it", timeoutMs: 1_000 });
});

test("T4: a bucket of twenty thousand deliveries is copied whole", async () => {
  await using market = await startMarketplace();
  const body = JSON.stringify(delivery("assigned"));
  for (let n = 0; n < 20_000; n++) market.operator.publish(`$KV.deliveries.d${n}`, body);
  await market.operator.flush();
  await until(async () => (await market.streams.info("KV_deliveries")).state.messages === 20_000, {
    what: "all stored",
  });
  const deliveries = await openDeliveries(await market.connect("tracking-fanout"));
  expect(deliveries.size).toBe(20_000);
});

test("T7: deliveries written while a snapshot is on its way are never taken for gone", async () => {
  await using market = await startMarketplace();
  await using relay = await startRelay(market.nats.port);
  const bus = await market.connect("tracking-fanout", { servers: [relay.url] });
  const reader = await openDeliveries(bus);
  const gone: string[] = [];
  reader.onChange((id, now) => {
    if (!now) gone.push(id);
  });
  const keys = Array.from({ length: 500 }, (_, n) => `$KV.deliveries.d${n}`);
  let rounds = 0;
  const writeAll = async () => {
    const body = JSON.stringify(
      delivery("assigned", { destination: { lat: rounds++ % 90, lng: 0 } }),
    );
    for (const key of keys) market.operator.publish(key, body);
    await market.operator.flush();
  };
  for (let reconnect = 1; reconnect <= 4; reconnect++) {
    await writeAll();
    relay.cut();
    await until(() => !bus.isConnected(), { what: "the loss" });
    relay.restore();
    await until(
      async () => {
        await writeAll();
        return bus.stats().reconnects === reconnect;
      },
      { what: "the reconnect" },
    );
    for (let n = 0; n < 5; n++) await writeAll();
  }
  await until(() => reader.get(idOf("d499"))?.destination.lat === (rounds - 1) % 90, {
    what: "the newest",
  });
  expect(gone).toEqual([]);
  expect(reader.size).toBe(500);
});

test("T7: a bucket that is created anew replaces the copy", async () => {
  await using market = await startMarketplace();
  const bus = await market.connect("tracking-fanout");
  const deliveries = await openDeliveries(bus, { checkMs: 50 });
  for (const status of ["assigned", "picked_up"] as const) {
    await deliveries.put(idOf("old"), delivery(status));
  }
  const gone: string[] = [];
  deliveries.onChange((id, now) => {
    if (!now) gone.push(id);
  });
  await market.recreateDeliveries();
  await until(() => gone.length === 1, { what: "the old delivery's end" });
  expect(await deliveries.put(idOf("old"), delivery("assigned"))).toBe("created");
  expect(deliveries.get(idOf("old"))).toEqual(delivery("assigned"));
});

test("T3 E7: while NATS is away nothing is written and the copy still answers", async () => {
  await using market = await startMarketplace();
  const bus = await market.connect("tracking-fanout");
  const deliveries = await openDeliveries(bus);
  await deliveries.put(idOf("d1"), delivery("assigned"));
  await market.nats.kill();
  await until(() => !bus.isConnected(), { what: "the loss" });
  await expect(deliveries.put(idOf("d1"), delivery("delivered"))).rejects.toBeInstanceOf(
    BusUnavailableError,
  );
  expect(await deliveries.find(idOf("d1"))).toEqual(delivery("assigned"));
  await expect(deliveries.find(idOf("d2"))).rejects.toBeInstanceOf(BusUnavailableError);
});

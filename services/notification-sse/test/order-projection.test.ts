import { publishVendorEvent } from "@localstreet/bus/publish-vendor-event";
import { deleteStream } from "@localstreet/bus/stream-administration";
import { ensureStreams } from "@localstreet/bus/streams";
import { orderIdSchema, personIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import type { Acknowledgement } from "@localstreet/contracts/order";
import { VENDOR_STREAM, vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { openPool, type Pool } from "@localstreet/db/pool";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Notification,
  newOrder,
  newVendor,
  startNotification,
  storeOrder,
} from "./start-notification.ts";

const SETTINGS = { ORDER_TICK_MS: "50", ORDER_LEASE_MS: "1000" };

let notification: Notification;
let admin: Pool;
beforeAll(async () => {
  notification = await startNotification(SETTINGS);
  const { postgres } = notification.stores;
  admin = openPool({ url: postgres.url("admin", "localstreet"), statementTimeoutMs: 20_000 });
});
afterAll(async () => {
  await admin?.end();
  await notification?.stop();
});

async function answer(vendor: string, orderId: string, state: Acknowledgement): Promise<void> {
  const vendorId = vendorIdSchema.parse(vendor);
  const by = personIdSchema.parse("sam");
  const about = { orderId: orderIdSchema.parse(orderId), vendorId, by };
  await publishVendorEvent(notification.bus, {
    ...{ vendorId, kind: "order-acknowledged" },
    data: { ...about, state, at: new Date().toISOString() },
  });
}

type Row = Record<string, unknown>;

/** A vendor's rows, but for what counts the logs that were read. */
async function rowsOf(vendorId: string): Promise<Row[]> {
  const { rows } = await admin.query<Row>(
    "SELECT * FROM orders WHERE vendor_id = $1 ORDER BY order_id",
    [vendorId],
  );
  return rows.map(({ history: _, ...row }) => row);
}

async function statusesOf(vendorId: string): Promise<unknown[]> {
  return (await rowsOf(vendorId)).map(({ status }) => status);
}

async function untilStatuses(vendorId: string, statuses: string[]): Promise<void> {
  await until(async () => String(await statusesOf(vendorId)) === String(statuses), {
    ...{ what: `the statuses ${statuses}`, timeoutMs: 10_000 },
  });
}

async function position() {
  const found = await admin.query<{ sequence: string; epoch: string; holder: string }>(
    "SELECT * FROM projections",
  );
  return found.rows[0];
}

async function metricsOf({ adminUrl }: { adminUrl: string }): Promise<string> {
  return await (await fetch(`${adminUrl}/metrics`)).text();
}

/** The replica that projects, and the other. */
async function holders() {
  const [one, two] = notification.replicas;
  const isHolder = async (service: typeof one) =>
    /^localstreet_projection_holder\{.*\} 1$/m.test(await metricsOf(service));
  await until(async () => (await isHolder(one)) !== (await isHolder(two)), { what: "one holder" });
  return (await isHolder(one)) ? { holder: one, other: two } : { holder: two, other: one };
}

test("S30: foreign and malformed events are passed over and counted", async () => {
  const vendorId = newVendor();
  const { holder } = await holders();
  const subject = vendorOrdersSubject(vendorIdSchema.parse(vendorId));
  for (const body of ["{", JSON.stringify({ orderId: "order-1" })]) {
    notification.bus.publishSignal(subject, body);
  }
  await storeOrder(holder, vendorId);
  await untilStatuses(vendorId, ["placed"]);
  const metrics = await metricsOf(holder);
  expect(metrics).toMatch(/^localstreet_projection_skipped_total\{reason="foreign".*\} 2$/m);
  expect(metrics).toMatch(/^localstreet_projection_lag_events\{.*\} 0$/m);
});

test("S30: from an empty database the log gives the same rows again", async () => {
  const vendorId = newVendor();
  const orders = Array.from({ length: 30 }, () => newOrder());
  for (const order of orders) await storeOrder(notification.replicas[0], vendorId, order);
  const states = ["received", "seen", "accepted", "rejected"] as const;
  for (const [index, { orderId }] of orders.entries()) {
    for (const state of states.slice(0, index % 4)) await answer(vendorId, orderId, state);
  }
  const isProjected = async () =>
    (await rowsOf(vendorId)).filter((row) => row.received_at).length === 22;
  await until(isProjected, { what: "all rows" });
  const before = await rowsOf(vendorId);

  await admin.query("TRUNCATE orders, projections");
  await until(async () => (await rowsOf(vendorId)).length === 30 && (await isProjected()), {
    ...{ what: "all rows again", timeoutMs: 10_000 },
  });
  expect(await rowsOf(vendorId)).toEqual(before);
});

test("S30: when the log is deleted and made anew, open orders stay and new events are projected", async () => {
  const vendorId = newVendor();
  const [old, young] = [newOrder({ orderId: "old" }), newOrder({ orderId: "young" })];
  for (let index = 0; index < 3; index += 1)
    await storeOrder(notification.replicas[0], newVendor());
  await storeOrder(notification.replicas[0], vendorId, old);
  await untilStatuses(vendorId, ["placed"]);
  const before = await position();

  await deleteStream(notification.bus, VENDOR_STREAM);
  await ensureStreams(notification.bus);
  await until(
    async () =>
      await storeOrder(notification.replicas[1], vendorId, young).then(
        () => true,
        () => false,
      ),
    { what: "an order in the new log", timeoutMs: 10_000 },
  );
  await untilStatuses(vendorId, ["placed", "placed"]);
  await answer(vendorId, "old", "accepted");
  await untilStatuses(vendorId, ["accepted", "placed"]);
  const after = await position();
  expect(after?.epoch).not.toBe(before?.epoch);
  expect(Number(after?.sequence)).toBe(2);
});

test("S30: a log that was restored, and holds other events at the same sequences, is read from its beginning", async () => {
  const vendorId = newVendor();
  const [one, two] = [newOrder({ orderId: "one" }), newOrder({ orderId: "two" })];
  await storeOrder(notification.replicas[0], vendorId, one);
  await answer(vendorId, "one", "accepted");
  await untilStatuses(vendorId, ["accepted"]);
  const before = await rowsOf(vendorId);
  const end = (await position())?.sequence;
  // As after a restore: the position is past the log's end, or another event stands there.
  for (const change of ["sequence = sequence + 1000", "message_id = 'of an event that is lost'"]) {
    const { rows } = await admin.query<{ history: number }>(
      `UPDATE projections SET ${change}, holder = '', lease_until = now() RETURNING history`,
    );
    await until(
      async () => {
        const found = await admin.query(
          "SELECT 1 FROM projections WHERE history > $1 AND sequence = $2",
          [rows[0]?.history, end],
        );
        return found.rowCount === 1;
      },
      { what: `the end in another history after ${change}`, timeoutMs: 10_000 },
    );
  }
  await storeOrder(notification.replicas[0], vendorId, two);
  await untilStatuses(vendorId, ["accepted", "placed"]);
  const [first] = await rowsOf(vendorId);
  expect(first).toEqual(before[0]);
});

test("S30: a replica that drains hands the projection over at once", async () => {
  for (const service of notification.replicas) await service.stop();
  const patient = { ORDER_LEASE_MS: "3600000" };
  const draining = await notification.startReplica(patient);
  const vendorId = newVendor();
  await storeOrder(draining, vendorId);
  await untilStatuses(vendorId, ["placed"]);
  const next = await notification.startReplica(patient);
  await draining.stop();
  await storeOrder(next, vendorId);
  await untilStatuses(vendorId, ["placed", "placed"]);
  await next.stop();
});

test("S30: a holder that freezes is taken over, and stores nothing when it thaws", {
  timeout: 60_000,
}, async () => {
  const frozen = await notification.startProcess();
  const vendorId = newVendor();
  await storeOrder(frozen, vendorId);
  await untilStatuses(vendorId, ["placed"]);
  const before = (await position())?.holder;
  frozen.freeze();
  const replica = await notification.startReplica();
  await until(async () => (await position())?.holder !== before, {
    ...{ what: "another holder", timeoutMs: 15_000 },
  });
  await storeOrder(replica, vendorId);
  await untilStatuses(vendorId, ["placed", "placed"]);
  const after = (await position())?.holder;

  frozen.thaw();
  // It serves on, and whatever it stores the other one projects.
  await storeOrder(frozen, vendorId);
  await untilStatuses(vendorId, ["placed", "placed", "placed"]);
  expect((await position())?.holder).toBe(after);
  await replica.stop();
  await until(async () => (await position())?.holder === before, {
    ...{ what: "the thawed one takes over in turn", timeoutMs: 15_000 },
  });
});

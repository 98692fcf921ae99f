import { publishEscalation } from "@localstreet/bus/publish-escalation";
import { orderIdSchema, vendorIdSchema } from "@localstreet/contracts/ids";
import { type Escalation, escalationWebhookSchema } from "@localstreet/contracts/vendor-events";
import { type ConfigError, readConfig } from "@localstreet/service-kit/config";
import { until } from "@localstreet/testkit/wait";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { notificationConfigSchema } from "../src/config.ts";
import { type Receiver, startReceiver, WEBHOOK_SECRET } from "./receiver.ts";
import { type Notification, startNotification } from "./start-notification.ts";

let receiver: Receiver;
let notification: Notification;
beforeAll(async () => {
  receiver = await startReceiver();
  notification = await startNotification({
    OPS_WEBHOOK_URL: receiver.url,
    OPS_WEBHOOK_SECRET: WEBHOOK_SECRET,
    OPS_WEBHOOK_TIMEOUT_MS: "400",
    OPS_WEBHOOK_RETRY_MS: "50",
  });
});
afterAll(async () => {
  await notification.stop();
  await receiver.die();
});
beforeEach(() => {
  receiver.answer = (_delivery, response) => response.writeHead(204).end();
});

let escalations = 0;
/** An escalation that is stored for the operators, and the id under which it is delivered. */
async function escalate(): Promise<{ escalation: Escalation; webhookId: string }> {
  escalations += 1;
  const at = new Date().toISOString();
  const escalation: Escalation = {
    vendorId: vendorIdSchema.parse("bakery"),
    orderId: orderIdSchema.parse(`order-${escalations}`),
    reason: "unanswered",
    placedAt: at,
    at,
    eventId: `abcdefgh-${escalations}-ABCDEF`,
  };
  expect((await publishEscalation(notification.bus, escalation)).status).toBe("stored");
  return { escalation, webhookId: `bakery:order-escalated:${escalation.orderId}` };
}

const deliveriesOf = (webhookId: string) =>
  receiver.deliveries.filter((delivery) => delivery.webhookId === webhookId);

async function untilTaken(webhookIds: readonly string[], timeoutMs = 15_000): Promise<void> {
  await until(() => webhookIds.every((webhookId) => receiver.taken().has(webhookId)), {
    what: "every escalation is taken",
    timeoutMs,
  });
}

/** A metric of the webhook, summed over both replicas. */
async function metric(pattern: RegExp): Promise<number> {
  const texts = await Promise.all(
    notification.replicas.map(async ({ adminUrl }) => (await fetch(`${adminUrl}/metrics`)).text()),
  );
  return texts.reduce((sum, text) => sum + Number(pattern.exec(text)?.[1] ?? 0), 0);
}

test("S27: an escalation arrives signed, under the id of its event", async () => {
  const { escalation, webhookId } = await escalate();
  await untilTaken([webhookId]);
  const [delivery] = deliveriesOf(webhookId);
  expect(delivery?.isGenuine).toBe(true);
  expect(escalationWebhookSchema.parse(JSON.parse(delivery?.body ?? ""))).toEqual({
    type: "order.escalated",
    timestamp: escalation.at,
    data: escalation,
  });
  // The same told again is none more.
  expect((await publishEscalation(notification.bus, escalation)).status).toBe("duplicate");
  const next = await escalate();
  await untilTaken([next.webhookId]);
  expect(deliveriesOf(webhookId)).toHaveLength(1);
});

test("S27: a receiver that fails is tried again, with the same id and the same bytes", async () => {
  const answers = [500, 404, 301];
  receiver.answer = (_delivery, response) => {
    const status = answers.shift() ?? 200;
    response.writeHead(status, { location: "http://127.0.0.1:1/elsewhere" }).end("no");
  };
  const failedBefore = await metric(/ops_webhook_total\{outcome="failed"[^}]*\} (\d+)/);
  const { webhookId } = await escalate();
  await untilTaken([webhookId]);
  const deliveries = deliveriesOf(webhookId);
  // A redirect is a failure like any other, and is not followed.
  expect(deliveries.map(({ status }) => status)).toEqual([500, 404, 301, 200]);
  expect(deliveries.every((delivery) => delivery.isGenuine)).toBe(true);
  expect(new Set(deliveries.map(({ body }) => body)).size).toBe(1);
  const failed = await metric(/ops_webhook_total\{outcome="failed"[^}]*\} (\d+)/);
  expect(failed - failedBefore).toBe(3);
});

test("S27: one that is too slow, and one that is gone, get it when they are back", async () => {
  let slow = 1;
  receiver.answer = (_delivery, response) => {
    if (slow-- > 0) return;
    response.writeHead(200).end();
  };
  const first = await escalate();
  await untilTaken([first.webhookId]);
  expect(deliveriesOf(first.webhookId).map(({ status }) => status)).toEqual([null, 200]);

  await receiver.die();
  const others = [await escalate(), await escalate()];
  await until(async () => (await metric(/ops_webhook_pending\{[^}]*\} (\d+)/)) > 0, {
    what: "the metric tells that some wait",
  });
  await receiver.open();
  await untilTaken(others.map(({ webhookId }) => webhookId));
  await until(async () => (await metric(/ops_webhook_pending\{[^}]*\} (\d+)/)) === 0, {
    what: "nothing waits any more",
  });
});

test("S27: what a replica had under way when it was killed, another delivers", async () => {
  const doomed = await notification.startProcess({ OPS_WEBHOOK_URL: `${receiver.url}/doomed` });
  let killed: Promise<void> | undefined;
  receiver.answer = ({ path }, response) => {
    if (!path.endsWith("/doomed")) response.writeHead(204).end();
    else killed ??= doomed.kill();
  };
  const stored: string[] = [];
  await until(
    async () => {
      stored.push((await escalate()).webhookId);
      return killed !== undefined;
    },
    { what: "the doomed one is in the middle of a delivery", timeoutMs: 20_000 },
  );
  await killed;
  const orphans = receiver.deliveries.filter(({ path }) => path.endsWith("/doomed"));
  expect(orphans.map(({ status }) => status)).toEqual(orphans.map(() => null));
  await untilTaken(stored);
  expect(receiver.deliveries.every((delivery) => delivery.isGenuine)).toBe(true);
}, 60_000);

test("S27: what was stored while NATS came and went is delivered", async () => {
  const before = await escalate();
  await notification.stores.nats.kill();
  await notification.stores.nats.start();
  await until(() => notification.bus.isConnected(), { what: "the bus is back" });
  const after = await escalate();
  await untilTaken([before.webhookId, after.webhookId], 30_000);
});

test("S27: an address without a secret, a secret without an address, and neither of them", () => {
  const env = {
    PORT: "0",
    ADMIN_PORT: "0",
    REPLICA_NAME: "r",
    AUTH_JWT_SECRET: "x".repeat(32),
    NATS_URL: "nats://127.0.0.1:1",
    NATS_USER: "u",
    NATS_PASSWORD: "p",
    REDIS_URL: "redis://127.0.0.1:1",
    DATABASE_URL: "postgres://127.0.0.1:1/x",
  };
  const faultOf = (more: Record<string, string>) => {
    try {
      readConfig(notificationConfigSchema, { ...env, ...more });
      return null;
    } catch (error) {
      return (error as ConfigError).message;
    }
  };
  expect(faultOf({})).toBeNull();
  expect(
    faultOf({
      OPS_WEBHOOK_URL: "https://pager.example/hook",
      OPS_WEBHOOK_SECRET: `${WEBHOOK_SECRET}, whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`,
    }),
  ).toBeNull();
  expect(faultOf({ OPS_WEBHOOK_URL: "https://pager.example" })).toContain(
    "OPS_WEBHOOK_SECRET: missing",
  );
  expect(faultOf({ OPS_WEBHOOK_SECRET: WEBHOOK_SECRET })).toContain("OPS_WEBHOOK_URL: missing");
  for (const OPS_WEBHOOK_URL of ["ftp://pager.example", "https://me:pw@pager.example", "pager"]) {
    expect(faultOf({ OPS_WEBHOOK_URL, OPS_WEBHOOK_SECRET: WEBHOOK_SECRET })).toContain(
      "OPS_WEBHOOK_URL: ",
    );
  }
  const short = faultOf({ OPS_WEBHOOK_URL: "https://a.example", OPS_WEBHOOK_SECRET: "whsec_abc" });
  expect(short).toContain("OPS_WEBHOOK_SECRET: must be whsec_");
  expect(short).not.toContain("whsec_abc");
});

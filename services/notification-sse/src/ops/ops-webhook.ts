import type { Bus } from "@localstreet/bus/connection";
import { startWorkQueue, type WorkItem, type WorkOutcome } from "@localstreet/bus/work-queue";
import { OPS_STREAM } from "@localstreet/contracts/subjects";
import { type EscalationWebhook, escalationSchema } from "@localstreet/contracts/vendor-events";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter, Gauge } from "prom-client";
import type { NotificationConfig } from "../config.ts";
import { signWebhook } from "./webhook-signature.ts";

/** What a delivery may take past its timeout before another replica makes it, in milliseconds. */
const ACK_GRACE_MS = 2_000;
const RETRY_MAX_MS = 300_000;

/**
 * Posts every escalation to `OPS_WEBHOOK_URL` (PROTOCOL.md S27), at least once over all replicas. Does nothing when there
 * is no address.
 */
export function startOpsWebhook(
  { config, logger, metrics }: ServiceKit<NotificationConfig>,
  bus: Bus,
): { close(): Promise<void> } {
  const { OPS_WEBHOOK_URL, OPS_WEBHOOK_SECRET } = config;
  if (OPS_WEBHOOK_URL === undefined || OPS_WEBHOOK_SECRET === undefined)
    return { async close() {} };
  const [url, keys] = [OPS_WEBHOOK_URL, OPS_WEBHOOK_SECRET];
  const closing = new AbortController();
  const outcomes = new Counter({
    name: "localstreet_ops_webhook_total",
    help: "Deliveries to the operators' webhook: failed ones are tried again, given-up ones are not",
    labelNames: ["outcome"],
    registers: [metrics],
  });
  // Its path may be a secret.
  const { host } = new URL(url);

  async function post(item: WorkItem, body: string): Promise<void> {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        ...signWebhook({ keys, webhookId: item.messageId, body, nowMs: Date.now() }),
        "content-type": "application/json",
        "user-agent": "localstreet",
      },
      body,
      // Where it is sent is the operator's word, not the receiver's.
      redirect: "manual",
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(config.OPS_WEBHOOK_TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`answered with ${response.status}`);
  }

  async function deliver(item: WorkItem): Promise<WorkOutcome> {
    const { messageId, attempt, storedAt } = item;
    const body = encodeBody(item.data);
    const isTooOld = Date.now() - storedAt.getTime() > config.OPS_WEBHOOK_GIVE_UP_MS;
    if (body === null || isTooOld) {
      const reason = body === null ? "it is no escalation" : "it is too old";
      logger.error({ messageId, attempt, host, reason }, "the webhook: an escalation is given up");
      outcomes.inc({ outcome: "given-up" });
      return { status: "done" };
    }
    try {
      await post(item, body);
      outcomes.inc({ outcome: "delivered" });
      return { status: "done" };
    } catch (error) {
      const afterMs = retryMs(config.OPS_WEBHOOK_RETRY_MS, attempt);
      const reason = reasonOf(error);
      logger.warn({ messageId, attempt, host, afterMs, reason }, "the webhook: not delivered");
      outcomes.inc({ outcome: "failed" });
      return { status: "again", afterMs };
    }
  }

  const queue = startWorkQueue(bus, {
    stream: OPS_STREAM,
    durable: "webhook",
    atOnce: config.OPS_WEBHOOK_AT_ONCE,
    ackWaitMs: config.OPS_WEBHOOK_TIMEOUT_MS + ACK_GRACE_MS,
    work: deliver,
  });
  new Gauge({
    name: "localstreet_ops_webhook_pending",
    help: "Escalations that the operators' webhook has not taken yet, over all replicas",
    registers: [metrics],
    async collect() {
      // A bus that is away has a metric of its own; this one keeps what was known.
      await queue.pending().then(
        (pending) => this.set(pending),
        () => {},
      );
    },
  });
  return {
    async close() {
      closing.abort();
      await queue.close();
    },
  };
}

/** The same bytes each time: a receiver may compare them. `null` for something that this platform did not write. */
function encodeBody(data: Uint8Array): string | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data).toString());
  } catch {
    return null;
  }
  const escalation = escalationSchema.safeParse(value);
  if (!escalation.success) return null;
  const body: EscalationWebhook = {
    type: "order.escalated",
    timestamp: escalation.data.at,
    data: escalation.data,
  };
  return JSON.stringify(body);
}

/** Doubles from try to try, five minutes at most, each shortened by up to a quarter at random. */
function retryMs(firstMs: number, attempt: number): number {
  const ms = Math.min(firstMs * 2 ** Math.min(attempt - 1, 30), RETRY_MAX_MS);
  return Math.round(ms * (1 - Math.random() / 4));
}

/** `fetch` hides why it failed in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { code?: string } };
  return cause?.code ?? message ?? String(error);
}

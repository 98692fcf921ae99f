import { AckPolicy, DeliverPolicy, JetStreamApiError, type JsMsg } from "@nats-io/jetstream";
import { createBackoff } from "./backoff.ts";
import type { Bus } from "./connection.ts";
import { internalsOf } from "./internals.ts";

/** A message of a stream that somebody has to see to. */
export interface WorkItem {
  readonly subject: string;
  readonly data: Uint8Array;
  /** `Nats-Msg-Id`, or where there is none its place in the stream: the same each time it is handed out. */
  readonly messageId: string;
  readonly storedAt: Date;
  /** 1 for the first time. */
  readonly attempt: number;
}

export type WorkOutcome =
  /** Seen to, or given up: it is not handed out again. */
  { readonly status: "done" } | { readonly status: "again"; readonly afterMs: number };

export interface WorkQueue {
  /**
   * Messages that nobody has seen to yet, those that wait to be handed out again included.
   *
   * @throws {BusUnavailableError}
   */
  pending(): Promise<number>;
  /** Takes no more and resolves when what is under way has ended. */
  close(): Promise<void>;
}

export interface WorkQueueOptions {
  readonly stream: string;
  /** Names the durable consumer: whoever names the same shares its messages. */
  readonly durable: string;
  /** Messages of this process at the same time. */
  readonly atOnce: number;
  /** After which a message whose worker said nothing is handed to another, in milliseconds: longer than the work takes. */
  readonly ackWaitMs: number;
  /** What it throws is logged, and the message comes again after `ackWaitMs`. */
  readonly work: (item: WorkItem) => Promise<WorkOutcome>;
}

/** How long one request for a message waits for it. */
const PULL_MS = 30_000;
/** Messages that wait to be handed out again. Past them newer ones wait too. */
const MAX_WAITING = 10_000;
const CONSUMER_EXISTS = 10_148;

/**
 * Works on every message of a stream at least once, over all processes that share `durable`: a message is out of the
 * way when `work` says so and not before, whoever dies meanwhile. Waits for ever for the stream to exist.
 */
export function startWorkQueue(bus: Bus, options: WorkQueueOptions): WorkQueue {
  const { stream, durable, atOnce, ackWaitMs, work } = options;
  const { js, jsm, logger, call } = internalsOf(bus);
  const config = {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: ackWaitMs * 1_000_000,
    max_ack_pending: MAX_WAITING,
  };
  const pulls = new Set<{ close(): Promise<unknown> }>();
  let opened: ReturnType<typeof open> | undefined;
  let isClosed = false;
  let isFailing = false;

  async function open() {
    await call(`consumer ${durable} of ${stream}`, async () => {
      try {
        await jsm.consumers.add(stream, config);
      } catch (error) {
        if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error;
        await jsm.consumers.update(stream, durable, config);
      }
    });
    return await call(`consumer ${durable} of ${stream}`, () => js.consumers.get(stream, durable));
  }

  async function next(): Promise<JsMsg | null> {
    opened ??= open();
    const consumer = await opened;
    const pull = await consumer.fetch({ max_messages: 1, expires: PULL_MS });
    pulls.add(pull);
    try {
      if (isClosed) await pull.close();
      for await (const message of pull) return message;
      return null;
    } finally {
      pulls.delete(pull);
    }
  }

  async function see(message: JsMsg): Promise<void> {
    const { subject, data, headers, info } = message;
    const outcome = await work({
      subject,
      data,
      messageId: headers?.last("Nats-Msg-Id") || `${stream}-${info.streamSequence}`,
      storedAt: message.time,
      attempt: info.deliveryCount,
    });
    if (outcome.status === "done") message.ack();
    else message.nak(outcome.afterMs);
  }

  async function worker(): Promise<void> {
    let backoff = createBackoff(100, 2_000);
    while (!isClosed) {
      try {
        const message = await next();
        if (message) await see(message);
        backoff = createBackoff(100, 2_000);
        isFailing = false;
      } catch (error) {
        opened = undefined;
        if (isClosed) return;
        if (!isFailing) logger.warn({ err: error, stream, durable }, "work: failed, trying on");
        isFailing = true;
        await backoff.wait();
      }
    }
  }
  const workers = Array.from({ length: atOnce }, worker);

  return {
    async pending() {
      const info = await call(`consumer ${durable} of ${stream}`, () =>
        jsm.consumers.info(stream, durable),
      );
      return info.num_pending + info.num_ack_pending;
    },
    async close() {
      isClosed = true;
      // A worker whose pull cannot be ended ends with its wait.
      for (const pull of pulls) {
        pull.close().catch((error) => logger.warn({ err: error, stream }, "work: a pull broke"));
      }
      await Promise.all(workers);
    },
  };
}

import { type Msg, nuid } from "@nats-io/transport-node";
import { BusUnavailableError } from "./bus-error.ts";
import type { Bus } from "./connection.ts";
import { internalsOf } from "./internals.ts";
import { askJetStream } from "./jetstream-requests.ts";
import { headerBlockOf } from "./message-headers.ts";
import { type StoredEvent, storedEvent } from "./stream-reads.ts";

export interface ConsumedEvent extends StoredEvent {
  /** When JetStream stored it. */
  readonly storedAt: Date;
}

export interface ConsumedPage {
  readonly events: ConsumedEvent[];
  /** Events of the stream behind these, as the server knew when it sent the last one. */
  readonly pendingCount: number;
}

/** Reads a stream in order, from a position on. Lives on one connection: whoever loses it opens another. */
export interface StreamConsumer {
  /**
   * The next events, up to `count`: as soon as so many are here, or nothing is pending behind them, or `maxWaitMs` is
   * over. Never two calls at a time.
   *
   * @throws {BusUnavailableError} when the consumer is lost: open another behind the last event.
   */
  next(count: number, maxWaitMs: number): Promise<ConsumedPage>;
  /** Events behind the last one that was returned, as far as it is known: at first, all that the stream has. */
  readonly pendingCount: number;
  close(): void;
}

/** The server ends a pull that nothing came for. */
const PULL_MS = 5_000;
/** How late the word of that end may come. */
const PULL_GRACE_MS = 2_000;
/** The server forgets a consumer that nobody pulls from. */
const INACTIVE_MS = 10_000;
const NANOS = 1_000_000;

/**
 * Makes an ephemeral consumer without acknowledgements. Messages are pulled in batches, so that nothing comes that was not
 * asked for, and their count is checked, so that none is lost on the way unnoticed.
 *
 * @throws {BusUnavailableError}
 */
export async function openStreamConsumer(
  bus: Bus,
  stream: string,
  options: { readonly afterSequence: number; readonly subject?: string },
): Promise<StreamConsumer> {
  const { nats, call, newInbox } = internalsOf(bus);
  const { subject } = options;
  const name = nuid.next();
  const connection = bus.stats().reconnects;
  const info = await askJetStream<{ num_pending: number }>(
    bus,
    `CONSUMER.CREATE.${stream}.${name}${subject === undefined ? "" : `.${subject}`}`,
    {
      stream_name: stream,
      config: {
        name,
        deliver_policy: "by_start_sequence",
        opt_start_seq: options.afterSequence + 1,
        ack_policy: "none",
        replay_policy: "instant",
        inactive_threshold: INACTIVE_MS * NANOS,
        num_replicas: 1,
        mem_storage: true,
        ...(subject === undefined ? {} : { filter_subject: subject }),
      },
    },
  );

  let arrived: ConsumedEvent[] = [];
  let pendingCount = info.num_pending;
  let delivered = 0;
  /** Messages that the pull under way may still bring. */
  let asked = 0;
  let pullEndsAtMs = 0;
  let lost: string | null = null;
  let wanted = 0;
  let wake = () => {};
  const inbox = newInbox();

  function accept(message: Msg): void {
    if (message.subject === inbox) {
      // The pull is over: nothing came for it (404, 408), or the consumer is gone (409, 503).
      asked = 0;
      const status = message.headers?.code ?? 0;
      if (status !== 404 && status !== 408) lost = `ended with ${status}`;
      wake();
      return;
    }
    const about = parseDelivery(message.reply ?? "");
    if (about.deliveredCount !== delivered + 1) lost = "a message was lost on the way";
    if (lost !== null) {
      wake();
      return;
    }
    delivered++;
    asked--;
    pendingCount = about.pendingCount;
    const { sequence, storedAt } = about;
    const event = storedEvent(message.subject, sequence, headerBlockOf(message), message.data);
    arrived.push({ ...event, storedAt });
    if (arrived.length >= wanted || pendingCount === 0) wake();
  }

  const subscription = nats.subscribe(inbox, {
    callback: (error, message) => {
      if (error) {
        lost = error.message;
        wake();
      } else accept(message);
    },
  });

  function pull(count: number): void {
    asked = count;
    pullEndsAtMs = performance.now() + PULL_MS + PULL_GRACE_MS;
    nats.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`,
      JSON.stringify({ batch: count, expires: PULL_MS * NANOS }),
      { reply: inbox },
    );
  }

  function check(): void {
    if (asked > 0 && performance.now() > pullEndsAtMs) lost = "the server does not answer a pull";
    if (bus.stats().reconnects !== connection) lost = "the connection was lost";
    if (lost !== null) throw new BusUnavailableError(`consumer of ${stream}: ${lost}`);
  }

  return {
    async next(count, maxWaitMs) {
      check();
      if (asked === 0 && arrived.length < count) pull(count - arrived.length);
      const isReady = () => arrived.length >= count || (arrived.length > 0 && pendingCount === 0);
      if (!isReady()) {
        await call(
          `consumer of ${stream}`,
          () =>
            new Promise<void>((resolve) => {
              wanted = count;
              const timer = setTimeout(resolve, maxWaitMs);
              wake = () => {
                clearTimeout(timer);
                resolve();
              };
            }),
          maxWaitMs + PULL_GRACE_MS,
        );
        wake = () => {};
        check();
      }
      const events = arrived;
      arrived = [];
      return { events, pendingCount };
    },
    get pendingCount() {
      return pendingCount + arrived.length;
    },
    close() {
      subscription.unsubscribe();
      arrived = [];
      // Else the server forgets it by itself.
      askJetStream(bus, `CONSUMER.DELETE.${stream}.${name}`).catch(() => {});
    },
  };
}

/** `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivered>.<nanoseconds>.<pending>`, or longer from newer servers. */
function parseDelivery(reply: string) {
  const tokens = reply.split(".");
  const first = tokens.length > 9 ? 6 : 4;
  const number = (at: number) => Number(tokens[first + at]);
  return {
    sequence: number(1),
    deliveredCount: number(2),
    storedAt: new Date(number(3) / NANOS),
    pendingCount: number(4),
  };
}

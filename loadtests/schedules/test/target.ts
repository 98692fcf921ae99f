import { type Bus, busOver } from "@localstreet/bus/connection";
import { openSubjectLog, type SubjectLog } from "@localstreet/bus/subject-log";
import { LIVE_PREFIX, VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { until } from "@localstreet/testkit/wait";
import { headers as createHeaders, type NatsConnection } from "@nats-io/transport-node";
import { Normal } from "./normal.ts";
import { recorded, type SeenMessage, seenMessage } from "./recorded.ts";

export interface Answer {
  readonly block: string;
  readonly body: unknown;
}

/** How long a server is waited for that answers nothing. */
const SILENCE_MS = 3_000;

/** A server, or the model of one, with all that it says. What the two say is compared. */
export class Target {
  readonly nats: NatsConnection;
  readonly bus: Bus;
  readonly log: SubjectLog;
  readonly live: SeenMessage[] = [];
  /** What consumers brought, by the inbox of their pulls. */
  readonly pulled = new Map<string, SeenMessage[]>();
  readonly #normal = new Normal();
  #asked = 0;

  private constructor(nats: NatsConnection, bus: Bus, log: SubjectLog) {
    this.nats = nats;
    this.bus = bus;
    this.log = log;
  }

  /** @param onServer a connection to a server whose stream is there. */
  static async open(onServer: NatsConnection): Promise<Target> {
    let target: Target | null = null;
    const nats = recorded(onServer, (subscribed, message) => target?.record(subscribed, message));
    const bus = await busOver(nats, { user: "admin" });
    target = new Target(nats, bus, await openSubjectLog(bus, VENDOR_STREAM));
    nats.subscribe(`${LIVE_PREFIX}.>`, { callback() {} });
    await bus.flush();
    return target;
  }

  /** Asks past the bus, for what it does not ask. `null` when nothing is answered. */
  async ask(
    subject: string,
    body: string,
    fields: Readonly<Record<string, string>> = {},
    silenceMs = SILENCE_MS,
  ): Promise<Answer | null> {
    const reply = `_INBOX_admin.asked.${this.#asked++}`;
    const headers = createHeaders();
    for (const [name, value] of Object.entries(fields)) headers.set(name, value);
    return await new Promise((resolve) => {
      const timer = setTimeout(() => end(null), silenceMs);
      const subscription = this.nats.subscribe(reply, {
        callback: (_error, message) => {
          const { block, data } = this.#normal.message(seenMessage(message));
          end({ block, body: this.#normal.body(data) });
        },
      });
      function end(answer: Answer | null): void {
        clearTimeout(timer);
        subscription.unsubscribe();
        resolve(answer);
      }
      const hasFields = Object.keys(fields).length > 0;
      this.nats.publish(subject, body, hasFields ? { reply, headers } : { reply });
    });
  }

  /** A pull whose messages are collected under `inbox`. */
  pull(consumer: string, inbox: string, batch: number, expiresMs: number): void {
    if (!this.pulled.has(inbox)) {
      this.pulled.set(inbox, []);
      this.nats.subscribe(inbox, { callback() {} });
    }
    const body = JSON.stringify({ batch, expires: expiresMs * 1_000_000 });
    this.nats.publish(`$JS.API.CONSUMER.MSG.NEXT.${VENDOR_STREAM}.${consumer}`, body, {
      reply: inbox,
    });
  }

  /** What arrived so far, comparable. */
  seen(): { live: SeenMessage[]; pulled: [string, SeenMessage[]][] } {
    return { live: [...this.live], pulled: [...this.pulled] };
  }

  counts(): string {
    return [this.live.length, ...[...this.pulled.values()].map(({ length }) => length)].join(" ");
  }

  /** Everything that is on its way has arrived: at least as much as there was at `other`. */
  async settle(other: Target): Promise<void> {
    await this.bus.flush();
    const wanted = other.counts();
    await until(() => this.counts() === wanted, { what: `messages ${wanted}`, timeoutMs: 5_000 })
      // The comparison that follows says it better.
      .catch(() => {});
  }

  close(): Promise<void> {
    return this.bus.close();
  }

  private record(subscribed: string, message: SeenMessage): void {
    if (subscribed === `${LIVE_PREFIX}.>`) this.live.push(this.#normal.message(message));
    else this.pulled.get(subscribed)?.push(this.#normal.message(message));
  }
}

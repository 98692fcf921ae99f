import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Bus, BusLogger } from "./connection.ts";
import type { Requests } from "./requests.ts";

/** What the other files of this package need of a bus, and its users must not have. */
export interface BusInternals {
  readonly nats: NatsConnection;
  /** Requests with one answer: publishes to streams, and all reads. */
  readonly requests: Requests;
  /** For what is rare: administration, and key-value buckets. */
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly logger: BusLogger;
  /** A subject for answers that this user may subscribe to. */
  newInbox(): string;
  /**
   * Runs one request of the client's. Fails at once while disconnected, when too many are under way, and when the connection goes.
   *
   * @throws {BusUnavailableError} where waiting helps; other errors as they are.
   */
  call<T>(what: string, run: () => Promise<T>, timeoutMs?: number): Promise<T>;
}

const internals = new WeakMap<Bus, BusInternals>();

export function setInternals(bus: Bus, value: BusInternals): void {
  internals.set(bus, value);
}

export function internalsOf(bus: Bus): BusInternals {
  const value = internals.get(bus);
  if (!value) throw new TypeError("not a bus of connectBus");
  return value;
}

import { inboxPrefix } from "@localstreet/contracts/grants";
import { raise } from "@localstreet/contracts/raise";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import {
  createInbox,
  type Msg,
  type NatsConnection,
  PermissionViolationError,
} from "@nats-io/transport-node";
import { BusUnavailableError, toBusError } from "./bus-error.ts";
import { firstConnection } from "./first-connection.ts";
import { setInternals } from "./internals.ts";
import { headerBlockOf, headerIn } from "./message-headers.ts";
import { createOutboundGauge } from "./outbound-gauge.ts";
import { Requests } from "./requests.ts";
import { destroySocket } from "./stale-socket.ts";

export { BusUnavailableError } from "./bus-error.ts";

/** A pino logger will do. */
export interface BusLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** The last value of a header, by its exact name. */
  header(name: string): string | undefined;
}

export interface BusStats {
  readonly signalsSent: number;
  /** Dropped because the connection was away. */
  readonly signalsDroppedOffline: number;
  /** Dropped because the server did not keep up. */
  readonly signalsDroppedPending: number;
  readonly messagesReceived: number;
  readonly reconnects: number;
  /** Published and not yet known to have reached the server. */
  readonly pendingBytes: number;
  readonly callsUnderWay: number;
  /** Publishes to streams that wait for their acknowledgement. */
  readonly publishesInFlight: number;
}

/** A connection to NATS that reconnects for ever and keeps nothing for later. */
export interface Bus {
  isConnected(): boolean;
  /**
   * Publishes to a core subject, at most once: nothing may depend on it alone. While disconnected, or with
   * `maxPendingBytes` under way, the message is dropped and counted, never buffered.
   */
  publishSignal(subject: string, payload: Uint8Array | string): "sent" | "dropped";
  /** Subscribes until `unsubscribe`, over reconnects. What `onMessage` throws is logged. */
  subscribe(subject: string, onMessage: (message: BusMessage) => void): { unsubscribe(): void };
  /**
   * Waits until the server has processed everything sent before, subscriptions too.
   *
   * @throws {BusUnavailableError}
   */
  flush(timeoutMs?: number): Promise<void>;
  /** Calls `listener` after each reconnect, with the subscriptions restored. Returns how to stop that. */
  onReconnect(listener: () => void): () => void;
  stats(): BusStats;
  /** Sends what is pending, for a second at most, and closes. */
  close(): Promise<void>;
}

export interface BusOptions {
  /** One of contracts' store users, or `admin`: names the inbox too. */
  readonly user: string;
  readonly logger?: BusLogger;
  /** For each request to JetStream, and for each flush. */
  readonly requestTimeoutMs?: number;
  /** Signals published and not yet known to have reached the server. */
  readonly maxPendingBytes?: number;
  /** Reads at the same time; one more fails at once. */
  readonly maxCallsUnderWay?: number;
  /** Publishes to streams at the same time; one more fails at once. */
  readonly maxPublishesInFlight?: number;
}

export interface ConnectBusOptions extends BusOptions {
  /** `nats://host:port`, several for a cluster. */
  readonly servers: readonly string[];
  readonly password: string;
  /** Shown in the server's connection list: the replica's name. */
  readonly name: string;
  /** A server that answers no ping for three intervals counts as gone. */
  readonly pingIntervalMs?: number;
}

const CLOSE_MS = 1_000;

const silent: BusLogger = { info() {}, warn() {}, error() {} };

/**
 * Connects to NATS, and waits for the first connection for ever, logging why it has none.
 *
 * @throws when an option is malformed. A server that is away or refuses the password is waited for.
 */
export async function connectBus(options: ConnectBusOptions): Promise<Bus> {
  const nats = await firstConnection(options.logger ?? silent, {
    servers: [...options.servers],
    user: options.user,
    pass: options.password,
    name: options.name,
    inboxPrefix: inboxPrefix(options.user),
    maxReconnectAttempts: -1,
    // A password that is being changed must not end the connection for good.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    reconnectJitterTLS: 500,
    pingInterval: options.pingIntervalMs ?? 3_000,
    maxPingOut: 2,
    timeout: 5_000,
    noAsyncTraces: true,
  });
  return await busOver(nats, options);
}

/** A bus over a connection that is there: the one place where this package meets the client's library. */
export async function busOver(nats: NatsConnection, options: BusOptions): Promise<Bus> {
  const logger = options.logger ?? silent;
  const requestTimeoutMs = options.requestTimeoutMs ?? 5_000;
  const maxCallsUnderWay = options.maxCallsUnderWay ?? 4_096;
  let connected = true;
  let callsUnderWay = 0;
  let reconnects = 0;
  let messagesReceived = 0;
  const onLost = new Set<(error: Error) => void>();
  const reconnectListeners = new Set<() => void>();
  const requests = new Requests({
    nats,
    inbox: createInbox(inboxPrefix(options.user)),
    timeoutMs: requestTimeoutMs,
    limits: { publish: options.maxPublishesInFlight ?? 2_048, read: maxCallsUnderWay },
  });
  const gauge = createOutboundGauge(nats, options.maxPendingBytes ?? 4 * 1024 * 1024);

  async function call<T>(
    what: string,
    run: () => Promise<T>,
    timeoutMs = requestTimeoutMs,
  ): Promise<T> {
    if (!connected) throw new BusUnavailableError(`${what}: not connected to NATS`);
    if (callsUnderWay >= maxCallsUnderWay) {
      throw new BusUnavailableError(`${what}: ${callsUnderWay} calls are under way already`);
    }
    callsUnderWay++;
    let abandon = (_error: Error) => {};
    const abandoned = new Promise<never>((_, reject) => {
      abandon = reject;
    });
    onLost.add(abandon);
    const timer = setTimeout(
      () => abandon(new BusUnavailableError(`${what}: no answer in ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      return await Promise.race([run(), abandoned]);
    } catch (error) {
      throw toBusError(what, error);
    } finally {
      clearTimeout(timer);
      onLost.delete(abandon);
      callsUnderWay--;
    }
  }

  function abandonCalls(why: string): void {
    const error = new BusUnavailableError(`NATS: ${why}`);
    requests.abandon(error);
    for (const abandon of onLost) abandon(error);
  }

  function lose(why: string): void {
    if (!connected) return;
    connected = false;
    gauge.reset();
    logger.warn({ server: nats.getServer() }, `NATS: ${why}`);
    abandonCalls(why);
  }

  function regain(): void {
    connected = true;
    reconnects++;
    gauge.reset();
    requests.resume();
    logger.info({ server: nats.getServer() }, "NATS: reconnected");
    for (const listener of reconnectListeners) guarded(logger, "a reconnect listener", listener);
  }

  async function followStatus(): Promise<void> {
    for await (const status of nats.status()) {
      if (status.type === "disconnect") lose("disconnected");
      else if (status.type === "reconnect") regain();
      else if (status.type === "staleConnection") {
        lose("the server does not answer");
        destroySocket(nats);
      } else if (status.type === "error") {
        logger.error({ err: status.error }, "NATS: error");
        if (status.error instanceof PermissionViolationError) requests.refuse(status.error);
      }
    }
  }
  // Deaf to its connection, a process would be of no use.
  followStatus().catch(raise);

  const bus: Bus = {
    isConnected: () => connected,
    publishSignal: (subject, payload) => gauge.publish(connected, subject, payload),
    subscribe(subject, onMessage) {
      const subscription = nats.subscribe(subject, {
        callback: (error, message) => {
          if (error) return logger.error({ err: error, subject }, "NATS: subscription ended");
          messagesReceived++;
          // An error thrown into the client's parser would end its read loop.
          guarded(logger, subject, () => onMessage(new LiveMessage(message)));
        },
      });
      return { unsubscribe: () => subscription.unsubscribe() };
    },
    flush: (timeoutMs) => call("flush", () => nats.flush(), timeoutMs),
    onReconnect(listener) {
      reconnectListeners.add(listener);
      return () => reconnectListeners.delete(listener);
    },
    stats: () => ({
      ...gauge.stats(),
      messagesReceived,
      reconnects,
      callsUnderWay: callsUnderWay + requests.underWay("read"),
      publishesInFlight: requests.underWay("publish"),
    }),
    async close() {
      reconnectListeners.clear();
      await bus.flush(CLOSE_MS).catch(() => {});
      connected = false;
      abandonCalls("closed");
      const cut = setTimeout(() => destroySocket(nats), CLOSE_MS);
      await nats.close();
      clearTimeout(cut);
    },
  };
  const timeouts = { timeout: requestTimeoutMs };
  setInternals(bus, {
    nats,
    requests,
    js: jetstream(nats, { ...timeouts, checkAPI: false }),
    jsm: await jetstreamManager(nats, { ...timeouts, checkAPI: false }),
    logger,
    newInbox: () => createInbox(inboxPrefix(options.user)),
    call,
  });
  return bus;
}

function guarded(logger: BusLogger, what: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    logger.error({ err: error, what }, "NATS: a listener threw");
  }
}

/** Decodes what is asked for, when it is. */
class LiveMessage implements BusMessage {
  readonly #message: Msg;
  #headers: string | undefined;

  constructor(message: Msg) {
    this.#message = message;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get data(): Uint8Array {
    return this.#message.data;
  }

  header(name: string): string | undefined {
    this.#headers ??= headerBlockOf(this.#message);
    return headerIn(this.#headers, name);
  }
}

import {
  errors,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type PermissionViolationError,
} from "@nats-io/transport-node";
import { BusUnavailableError } from "./bus-error.ts";
import { headerBlockOf, statusIn } from "./message-headers.ts";

/** Each lane has a bound of its own: replays must not take the places of orders, nor orders those of tail checks. */
export type Lane = "publish" | "read";

export interface Reply {
  /** The header block; empty when there is none. See `headerIn` and `statusIn`. */
  readonly headers: string;
  /** Part of a larger piece of memory: copy what is kept for long. */
  readonly data: Uint8Array;
}

interface Pending {
  readonly lane: Lane;
  readonly subject: string;
  readonly deadlineMs: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

interface Outgoing {
  readonly token: string;
  readonly payload: Uint8Array | string;
  readonly headers: MsgHdrs | undefined;
}

/** How late a timeout may be told. */
const SWEEP_MS = 100;
const NO_RESPONDERS = 503;

/**
 * Requests to the server with one answer each. All answers come to one inbox and are told apart by the last token of
 * their subject; what one request costs is an entry in a map. Those of one turn of the event loop leave in one write.
 */
export class Requests {
  readonly #nats: NatsConnection;
  readonly #inbox: string;
  readonly #timeoutMs: number;
  readonly #limits: Readonly<Record<Lane, number>>;
  readonly #underWay: Record<Lane, number> = { publish: 0, read: 0 };
  readonly #pending = new Map<string, Pending>();
  #outgoing: Outgoing[] = [];
  #next = 0;
  #isConnected = true;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: {
    nats: NatsConnection;
    inbox: string;
    timeoutMs: number;
    limits: Readonly<Record<Lane, number>>;
  }) {
    this.#nats = options.nats;
    this.#timeoutMs = options.timeoutMs;
    this.#limits = options.limits;
    this.#inbox = `${options.inbox}.`;
    this.#nats.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (!error) this.#accept(message);
      },
    });
  }

  underWay(lane: Lane): number {
    return this.#underWay[lane];
  }

  /**
   * Sends a request and waits for its answer. Fails at once while disconnected, when the lane is full, and when the
   * connection goes.
   *
   * @throws {BusUnavailableError}, and `PermissionViolationError` when this user may not ask for it.
   */
  ask(
    lane: Lane,
    subject: string,
    payload: Uint8Array | string,
    headers?: MsgHdrs,
  ): Promise<Reply> {
    if (!this.#isConnected) {
      return Promise.reject(new BusUnavailableError(`${subject}: not connected to NATS`));
    }
    if (this.#underWay[lane] >= this.#limits[lane]) {
      const under = `${this.#limits[lane]} requests are under way already`;
      return Promise.reject(new BusUnavailableError(`${subject}: ${under}`));
    }
    this.#underWay[lane]++;
    const token = (this.#next++).toString(36);
    const deadlineMs = performance.now() + this.#timeoutMs;
    return new Promise((resolve, reject) => {
      this.#pending.set(token, { lane, subject, deadlineMs, resolve, reject });
      if (this.#outgoing.push({ token, payload, headers }) === 1) {
        setImmediate(() => this.#send());
      }
      this.#sweep ??= setTimeout(() => this.#expire(), SWEEP_MS);
    });
  }

  /** The connection is there again. */
  resume(): void {
    this.#isConnected = true;
  }

  /** The connection is gone: nothing will be answered, and nothing is kept for the next one. */
  abandon(error: BusUnavailableError): void {
    this.#isConnected = false;
    this.#outgoing = [];
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) this.#settle(request).reject(error);
  }

  /** The server's only answer to a request that its user may not make; it does not say to which one. */
  refuse(violation: PermissionViolationError): void {
    for (const [token, request] of this.#pending) {
      if (violation.operation === "publish" && request.subject === violation.subject) {
        this.#take(token)?.reject(violation);
      }
    }
  }

  #send(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const { token, payload, headers } of outgoing) {
      const request = this.#pending.get(token);
      if (!request) continue;
      const reply = this.#inbox + token;
      try {
        this.#nats.publish(request.subject, payload, headers ? { reply, headers } : { reply });
      } catch (error) {
        const isGone =
          error instanceof errors.ClosedConnectionError ||
          error instanceof errors.DrainingConnectionError;
        this.#take(token)?.reject(
          isGone ? new BusUnavailableError(`${request.subject}: closed`, { cause: error }) : error,
        );
      }
    }
  }

  #accept(message: Msg): void {
    const request = this.#take(message.subject.slice(this.#inbox.length));
    if (!request) return;
    const headers = headerBlockOf(message);
    const { data } = message;
    if (data.length === 0 && statusIn(headers) === NO_RESPONDERS) {
      request.reject(new BusUnavailableError(`${request.subject}: nobody answers`));
    } else request.resolve({ headers, data });
  }

  #take(token: string): Pending | undefined {
    const request = this.#pending.get(token);
    if (!request) return undefined;
    this.#pending.delete(token);
    return this.#settle(request);
  }

  #settle(request: Pending): Pending {
    this.#underWay[request.lane]--;
    return request;
  }

  #expire(): void {
    const nowMs = performance.now();
    for (const [token, { deadlineMs, subject }] of this.#pending) {
      if (deadlineMs > nowMs) continue;
      this.#take(token)?.reject(new BusUnavailableError(`${subject}: no answer in time`));
    }
    this.#sweep = this.#pending.size === 0 ? undefined : setTimeout(() => this.#expire(), SWEEP_MS);
  }
}

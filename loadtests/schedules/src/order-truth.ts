import { checkOf } from "@localstreet/bus/log-position";
import { NO_CHECK, parseEventId } from "@localstreet/contracts/event-id";
import type { LogBackup } from "./model/log-model.ts";
import type { NatsModel } from "./model/nats-model.ts";

/** An order that was acknowledged. */
export interface StoredOrder {
  readonly orderId: string;
  readonly subject: string;
  readonly sequence: number;
  readonly messageId: string;
}

export interface TruthBackup {
  readonly log: LogBackup;
  readonly history: readonly StoredOrder[];
  readonly epoch: string;
}

/** What was really stored, by whom it was asked for: the search alone writes to the log. */
export class OrderTruth {
  readonly #model: NatsModel;
  /** All that the log that is there now has ever stored, by sequence. */
  history: StoredOrder[] = [];
  /** With those of logs that are no more. */
  readonly orders = new Map<string, StoredOrder>();
  epoch: string;
  /** How often the log has become another. */
  replacements = 0;
  #next = 0;

  constructor(model: NatsModel, epoch: string) {
    this.#model = model;
    this.epoch = epoch;
  }

  publish(subject: string): StoredOrder {
    const orderId = `o-${++this.#next}`;
    const vendorId = subject.split(".")[1] as string;
    const messageId = `${vendorId}:new-order:${orderId}`;
    const { seq } = this.#model.log.publish({
      subject,
      messageId,
      headers: { "Localstreet-Event": "new-order" },
      data: Buffer.from(
        `{"orderId":"${orderId}","vendorId":"${vendorId}","buyerId":"ana","items":[{"name":"Bun","quantity":1,` +
          `"unitPrice":700}],"total":700,"currency":"SEK","placedAt":"2026-01-01T00:00:00.000Z"}`,
      ),
    });
    const order = { orderId, subject, sequence: seq, messageId };
    this.history.push(order);
    this.orders.set(orderId, order);
    return order;
  }

  isKept({ sequence }: StoredOrder): boolean {
    return this.#model.log.get(sequence) !== null;
  }

  /**
   * Whether a read of the subject finds it. nats-server 2.9 may lose an order to such reads once newer ones of the subject
   * have been deleted one by one; a client that was told of a gap finds it in the snapshot.
   */
  isFound(order: StoredOrder): boolean {
    if (!this.isKept(order)) return false;
    return !this.history.some(
      (other) =>
        other.subject === order.subject && other.sequence > order.sequence && !this.isKept(other),
    );
  }

  isOfThisLog(order: StoredOrder): boolean {
    return this.history[order.sequence - 1] === order;
  }

  backup(): TruthBackup {
    return { log: this.#model.log.backup(), history: [...this.history], epoch: this.epoch };
  }

  restore({ log, history, epoch }: TruthBackup): void {
    this.#model.log.restore(log);
    this.history = [...history];
    this.epoch = epoch;
    this.replacements++;
  }

  makeAnew(epoch: string): void {
    this.#model.log.makeAnew(epoch);
    this.history = [];
    this.epoch = epoch;
    this.replacements++;
  }

  /** Whether a `reset` is right for a client with this id. */
  disowns(subject: string, id: string): boolean {
    const from = parseEventId(id);
    if (!from || from.epoch !== this.epoch || from.sequence > this.history.length) return true;
    if (from.sequence === 0) return from.check !== NO_CHECK;
    const stored = this.history[from.sequence - 1] as StoredOrder;
    // Given out when its event was gone: true of any log in which it is gone.
    if (from.check === NO_CHECK) return false;
    return from.check !== checkOf(subject, stored.messageId);
  }

  /** Whether a `gap` is right for one with this id: something that came after it is gone. */
  hasGoneAfter(id: string): boolean {
    const sequence = parseEventId(id)?.sequence ?? 0;
    return this.history.some((order) => order.sequence > sequence && !this.isKept(order));
  }
}

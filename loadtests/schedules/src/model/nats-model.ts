import { LogModel } from "./log-model.ts";
import { ModelConnection } from "./model-connection.ts";
import { type StoredMessage, withFields } from "./stored-message.ts";
import { StreamApi } from "./stream-api.ts";

export interface NatsModelOptions {
  readonly stream: string;
  /** What the stream stores, as `vendor.*.orders`. */
  readonly subjects: string;
  /** Where it republishes to, as `live`. */
  readonly livePrefix: string;
  readonly epoch: string;
  readonly maxAgeMs: number;
  readonly duplicateWindowMs: number;
  readonly nowMs: () => number;
  /** When the stream was created; now, without it. */
  readonly startedAtMs?: number;
}

/**
 * A nats-server 2.9 with one stream, as its clients see it. Synchronous and without a clock of its own: what happens when
 * is the caller's choice. It answers as the real server does, faults included; `test/model.test.ts` holds it to that.
 */
export class NatsModel {
  /** The leader's copy. */
  readonly log: LogModel;
  /** Direct gets are answered by the follower, and consumers are made there. */
  readsFromFollower = false;
  readonly #options: NatsModelOptions;
  readonly #api: StreamApi;
  readonly #connections: ModelConnection[] = [];

  constructor(options: NatsModelOptions) {
    this.#options = options;
    this.log = new LogModel({
      ...options,
      onStored: (message, previousSequence) => this.#republish(message, previousSequence),
    });
    this.#api = new StreamApi(this.log, options);
  }

  /** A new client, connected. */
  connect(): ModelConnection {
    const model = this;
    const connection = new ModelConnection({
      log: this.log,
      api: this.#api,
      stream: this.#options.stream,
      subjects: this.#options.subjects,
      livePrefix: this.#options.livePrefix,
      get readsFromFollower() {
        return model.readsFromFollower;
      },
    });
    this.#connections.push(connection);
    return connection;
  }

  /** How many of the leader's operations the follower has not applied. */
  get followerLag(): number {
    return this.log.followerLag;
  }

  /** The follower applies the next operations; all, without a number. */
  catchUp(operations?: number): void {
    this.log.catchUp(operations);
  }

  /** What is over by now ends: pulls with the word of it, and consumers that nobody pulls from. */
  tick(): void {
    this.#api.tick();
  }

  #republish(message: StoredMessage, previousSequence: number): void {
    const { stream, livePrefix } = this.#options;
    const { subject, sequence } = message;
    const block = withFields(
      message.block,
      `Nats-Stream: ${stream}\r\nNats-Subject: ${subject}\r\n` +
        `Nats-Sequence: ${sequence}\r\nNats-Last-Sequence: ${previousSequence}\r\n`,
    );
    for (const connection of this.#connections) {
      connection.queueLive(message, `${livePrefix}.${subject}`, block);
    }
  }
}

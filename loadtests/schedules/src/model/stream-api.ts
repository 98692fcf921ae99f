import type { LogModel, PublishOutcome } from "./log-model.ts";
import { ModelConsumer, type PullChannel } from "./model-consumer.ts";
import { formatStamp, type StoredMessage, withFields } from "./stored-message.ts";
import type { StreamCopy } from "./stream-copy.ts";

/** An answer on its way to the one who asked. */
export interface ApiAnswer {
  /** Empty when there is none. */
  readonly block: string;
  readonly data: string | Uint8Array;
}

export interface ApiOptions {
  readonly stream: string;
  readonly subjects: string;
  readonly livePrefix: string;
  readonly maxAgeMs: number;
  readonly duplicateWindowMs: number;
  readonly nowMs: () => number;
}

interface ReadBody {
  seq?: number;
  last_by_subj?: string;
  next_by_subj?: string;
}

interface InfoBody {
  deleted_details?: boolean;
  subjects_filter?: string;
}

interface PurgeBody {
  keep?: number;
  seq?: number;
  filter?: string;
}

interface ConsumerBody {
  config?: { opt_start_seq?: number; filter_subject?: string; inactive_threshold?: number };
}

interface PullBody {
  batch?: number;
  expires?: number;
}

/** A page of the subjects of a stream. */
const MOST_SUBJECTS = 100_000;
const MS_IN_NANOS = 1_000_000;
const NO_MESSAGE = { code: 404, err_code: 10_037, description: "no message found" };
const NO_STREAM = { code: 404, err_code: 10_059, description: "stream not found" };
const NO_CONSUMER = { code: 404, err_code: 10_014, description: "consumer not found" };
const BAD_REQUEST = { code: 400, err_code: 10_003, description: "bad request" };
/** The server's default for an ephemeral consumer. */
const INACTIVE_MS = 5_000;

/** The answers of the JetStream API of nats-server 2.9, as far as the platform asks for them. */
export class StreamApi {
  readonly #log: LogModel;
  readonly #options: ApiOptions;
  readonly #config: string;
  readonly #stream: string;

  constructor(log: LogModel, options: ApiOptions) {
    this.#log = log;
    this.#options = options;
    const { stream, subjects, livePrefix, maxAgeMs, duplicateWindowMs } = options;
    this.#config =
      `"subjects":["${subjects}"],"retention":"limits","max_consumers":-1,"max_msgs":-1,"max_bytes":4294967296,` +
      `"max_age":${maxAgeMs * MS_IN_NANOS},"max_msgs_per_subject":-1,"max_msg_size":-1,"discard":"new","storage":"file",` +
      `"num_replicas":1,"duplicate_window":${duplicateWindowMs * MS_IN_NANOS},` +
      `"republish":{"src":">","dest":"${livePrefix}.>"},"allow_direct":true,"mirror_direct":false,"sealed":false,` +
      `"deny_delete":false,"deny_purge":false,"allow_rollup_hdrs":false`;
    this.#stream = stream;
  }

  /** `null` when the server answers nothing. `path` is what stands behind `$JS.API.`. */
  answer(path: string, body: string, readsFromFollower: boolean): ApiAnswer | null {
    const { follower, leader } = this.#log;
    // A node that does not have the stream yet is not asked: another one answers.
    const copy = readsFromFollower && follower.exists ? follower : leader;
    const [group, verb, ...rest] = path.split(".");
    if (group === "DIRECT") return copy.exists ? this.#direct(copy, body) : null;
    const isGet = group === "STREAM" && verb === "MSG";
    const operation = isGet ? `MSG.${rest.shift()}` : `${group}.${verb}`;
    if (rest.shift() !== this.#stream) return null;
    return this.#byOperation(operation, rest, body, copy);
  }

  #byOperation(
    operation: string,
    rest: string[],
    body: string,
    copy: StreamCopy,
  ): ApiAnswer | null {
    switch (operation) {
      case "STREAM.INFO":
        return this.#info(body);
      case "MSG.GET":
        return this.#get(body);
      case "MSG.DELETE":
        return this.#delete(body);
      case "STREAM.PURGE":
        return this.#purge(body);
      case "STREAM.DELETE":
        if (!this.#log.exists) return answered("stream_delete", { error: NO_STREAM });
        this.#log.remove();
        return answered("stream_delete", { success: true });
      case "CONSUMER.CREATE":
        return this.#createConsumer(rest[0] ?? "", body, copy);
      case "CONSUMER.DELETE":
        return this.#deleteConsumer(rest[0] ?? "");
      default:
        throw new Error(`the model knows no $JS.API.${operation}`);
    }
  }

  /** A pull has no answer of its own. Nobody hears it when the consumer is not there. */
  pull(name: string, reply: string, body: string, channel: PullChannel): void {
    const { batch = 1, expires = 0 } = body === "" ? {} : (JSON.parse(body) as PullBody);
    const nowMs = this.#options.nowMs();
    const expiresAtMs = expires === 0 ? Number.POSITIVE_INFINITY : nowMs + expires / MS_IN_NANOS;
    this.#consumer(name)?.pull({ reply, channel, batch, expiresAtMs, nowMs });
  }

  /** Ends what is over by now: pulls, and consumers that nobody pulls from. */
  tick(): void {
    const nowMs = this.#options.nowMs();
    for (const { consumers } of [this.#log.leader, this.#log.follower]) {
      for (const consumer of consumers.values()) {
        if (consumer.tick(nowMs)) consumers.delete(consumer.name);
      }
    }
  }

  acknowledge(outcome: PublishOutcome): ApiAnswer {
    const start = `{"stream":"${this.#stream}", "seq":`;
    switch (outcome.status) {
      case "stored":
        return { block: "", data: `${start}${outcome.sequence}}` };
      case "duplicate":
        return { block: "", data: `${start}${outcome.sequence},"duplicate": true}` };
      case "wrong-last-sequence": {
        const description = `wrong last sequence: ${outcome.lastSequence}`;
        const error = { code: 400, err_code: 10_071, description };
        return { block: "", data: JSON.stringify({ error, stream: this.#stream, seq: 0 }) };
      }
      case "away":
        return NO_RESPONDERS;
    }
  }

  #consumer(name: string): ModelConsumer | undefined {
    return this.#log.leader.consumers.get(name) ?? this.#log.follower.consumers.get(name);
  }

  #info(body: string): ApiAnswer {
    const counts = { total: 0, offset: 0, limit: 0 };
    const { leader } = this.#log;
    if (!leader.exists) return answered("stream_info", { error: NO_STREAM, ...counts });
    const query = body === "" ? {} : (JSON.parse(body) as InfoBody);
    const kept = leader.state(query.deleted_details === true);
    const filter = query.subjects_filter;
    const subjects = filter === undefined ? {} : leader.subjects(filter);
    const found = Object.keys(subjects).length;
    const state = JSON.stringify(found === 0 ? kept : { ...kept, subjects });
    const page = found === 0 ? [0, 0] : [found, MOST_SUBJECTS];
    const config = `"name":"${this.#stream}","description":"epoch:${leader.epoch}",${this.#config}`;
    return {
      block: "",
      data:
        `{"type":"io.nats.jetstream.api.v1.stream_info_response","total":${page[0]},"offset":0,"limit":${page[1]},` +
        `"config":{${config}},"created":"${leader.createdAt}","state":${state}}`,
    };
  }

  #get(body: string): ApiAnswer {
    const { leader } = this.#log;
    if (!leader.exists) return answered("stream_msg_get", { error: NO_STREAM });
    const query = body === "" ? {} : (JSON.parse(body) as ReadBody);
    if (!isRead(query)) return answered("stream_msg_get", { error: BAD_REQUEST });
    const found = read(leader, query);
    if (!found) return answered("stream_msg_get", { error: NO_MESSAGE });
    const { subject, sequence, block, data, time } = found;
    return answered("stream_msg_get", {
      message: {
        subject,
        seq: sequence,
        ...(block === "" ? {} : { hdrs: Buffer.from(block).toString("base64") }),
        ...(data.length === 0 ? {} : { data: Buffer.from(data).toString("base64") }),
        time,
      },
    });
  }

  #direct(copy: StreamCopy, body: string): ApiAnswer {
    const query = body === "" ? {} : (JSON.parse(body) as ReadBody);
    if (!isRead(query)) return { block: "NATS/1.0 408 Empty Request\r\n\r\n", data: "" };
    const found = read(copy, query);
    if (!found) return { block: "NATS/1.0 404 Message Not Found\r\n\r\n", data: "" };
    const { subject, sequence, block, data, time } = found;
    const fields =
      `Nats-Stream: ${this.#stream}\r\nNats-Subject: ${subject}\r\n` +
      `Nats-Sequence: ${sequence}\r\nNats-Time-Stamp: ${time}\r\n`;
    return { block: withFields(block, fields), data };
  }

  #delete(body: string): ApiAnswer {
    const { leader } = this.#log;
    if (!leader.exists) return answered("stream_msg_delete", { error: NO_STREAM });
    const { seq = 0 } = JSON.parse(body) as { seq?: number };
    if (this.#log.delete(seq)) return answered("stream_msg_delete", { success: true });
    return answered("stream_msg_delete", { error: notDeleted(leader, seq) });
  }

  #purge(body: string): ApiAnswer {
    if (!this.#log.exists) return answered("stream_purge", { error: NO_STREAM, purged: 0 });
    const { keep, seq, filter } = body === "" ? ({} as PurgeBody) : (JSON.parse(body) as PurgeBody);
    const purged = this.#log.purge({
      ...(keep === undefined ? {} : { keep }),
      ...(seq === undefined ? {} : { upToSequence: seq }),
      ...(filter === undefined ? {} : { subject: filter }),
    });
    return answered("stream_purge", { success: true, purged });
  }

  #createConsumer(name: string, body: string, copy: StreamCopy): ApiAnswer {
    if (!this.#log.exists) return answered("consumer_create", { error: NO_STREAM });
    const { config = {} } = JSON.parse(body) as ConsumerBody;
    const nowMs = this.#options.nowMs();
    const startSequence = config.opt_start_seq ?? 1;
    const inactiveNanos = config.inactive_threshold;
    const filter = config.filter_subject;
    const consumer = new ModelConsumer({
      copy,
      stream: this.#stream,
      name,
      createdAt: formatStamp({ ms: nowMs, nanos: 0 }),
      filter: filter ?? ">",
      startSequence,
      inactiveMs: inactiveNanos === undefined ? INACTIVE_MS : inactiveNanos / MS_IN_NANOS,
      nowMs,
    });
    copy.consumers.set(name, consumer);
    return answered("consumer_create", {
      stream_name: this.#stream,
      name,
      created: consumer.createdAt,
      config: {
        name,
        deliver_policy: "by_start_sequence",
        opt_start_seq: startSequence,
        ack_policy: "none",
        max_deliver: -1,
        ...(filter === undefined ? {} : { filter_subject: filter }),
        replay_policy: "instant",
        max_waiting: 512,
        ...(inactiveNanos === undefined ? {} : { inactive_threshold: inactiveNanos }),
        num_replicas: 1,
        mem_storage: true,
      },
      delivered: { consumer_seq: 0, stream_seq: consumer.throughSequence },
      ack_floor: { consumer_seq: 0, stream_seq: 0 },
      num_ack_pending: 0,
      num_redelivered: 0,
      num_waiting: 0,
      num_pending: consumer.pendingCount,
    });
  }

  #deleteConsumer(name: string): ApiAnswer {
    if (!this.#log.exists) return answered("consumer_delete", { error: NO_STREAM });
    const consumer = this.#consumer(name);
    if (!consumer) return answered("consumer_delete", { error: NO_CONSUMER });
    for (const { consumers } of [this.#log.leader, this.#log.follower]) consumers.delete(name);
    consumer.end();
    return answered("consumer_delete", { success: true });
  }
}

/** What the server answers for a publish to a subject that nobody listens to. */
export const NO_RESPONDERS: ApiAnswer = { block: "NATS/1.0 503\r\n\r\n", data: "" };

/** Why a sequence cannot be deleted: it was before, or no message has ever had it. */
function notDeleted({ firstSequence, lastSequence }: StreamCopy, sequence: number) {
  const description = `sequence ${sequence} not found`;
  if (sequence > lastSequence) {
    return { code: 500, err_code: 10_057, description: "stream store EOF" };
  }
  return sequence < Math.max(1, firstSequence)
    ? { code: 500, err_code: 10_057, description: "no message found" }
    : { code: 400, err_code: 10_043, description };
}

function isRead(query: ReadBody): boolean {
  const { seq = 0, last_by_subj, next_by_subj } = query;
  return seq > 0 || last_by_subj !== undefined || next_by_subj !== undefined;
}

function read(copy: StreamCopy, query: ReadBody): StoredMessage | null {
  const { seq = 0, last_by_subj, next_by_subj } = query;
  if (last_by_subj !== undefined) return copy.last(last_by_subj);
  return next_by_subj === undefined ? copy.get(seq) : copy.next(seq, next_by_subj);
}

function answered(type: string, body: object): ApiAnswer {
  const answer = { type: `io.nats.jetstream.api.v1.${type}_response`, ...body };
  return { block: "", data: JSON.stringify(answer) };
}

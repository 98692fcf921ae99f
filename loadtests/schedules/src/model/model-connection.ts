import {
  errors,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Payload,
  type Status,
} from "@nats-io/transport-node";
import type { LogModel } from "./log-model.ts";
import type { PullChannel } from "./model-consumer.ts";
import { ModelMessage } from "./model-message.ts";
import { StatusQueue } from "./status-queue.ts";
import { matches, type StoredMessage } from "./stored-message.ts";
import { type ApiAnswer, NO_RESPONDERS, type StreamApi } from "./stream-api.ts";

export type RequestStage = "sent" | "taken" | "answered";

/** What a connection needs of the server that it is connected to. */
export interface ModelServer {
  readonly log: LogModel;
  readonly api: StreamApi;
  readonly stream: string;
  readonly subjects: string;
  readonly livePrefix: string;
  readonly readsFromFollower: boolean;
}

type Deliver = (error: Error | null, message: Msg) => void;

interface Subscription {
  readonly subject: string;
  readonly callback: Deliver;
  readonly isLive: boolean;
  /** Whether the server has it. */
  isTaken: boolean;
}

interface LiveCopy {
  readonly subscription: Subscription;
  readonly message: ModelMessage;
}

interface Request {
  stage: RequestStage;
  /** What the search sees: without the random names of consumers. */
  readonly subject: string;
  readonly kind: "publish" | "api" | "pull" | "ping";
  readonly target: string;
  readonly reply: string;
  readonly block: string;
  readonly data: Uint8Array;
  /** Subscriptions that the client made before it. */
  readonly subscriptionsBefore: number;
  answer: ApiAnswer | null;
  readonly onPong: (() => void) | null;
  readonly onLost: ((error: Error) => void) | null;
}

/** A consumer's messages on their way over this connection. */
class Channel implements PullChannel {
  isOpen = true;
  readonly subject: string;
  readonly messages: ModelMessage[] = [];

  constructor(subject: string) {
    this.subject = subject;
  }

  push(message: ModelMessage): void {
    this.messages.push(message);
  }
}

const API = "$JS.API.";
const PULL = `${API}CONSUMER.MSG.NEXT.`;
const PING = "PING";
const NOTHING = new Uint8Array(0);

/**
 * One client's connection. Nothing happens by itself: each step between the client and the server is a method that the
 * search calls.
 *
 * Live copies come in the order in which they were published, over all subscriptions; a copy outlives its stream. Answers
 * come in any order among each other and among live copies. The messages of one consumer come in order. What the client
 * sent is taken in the order of sending as far as publishes and subscriptions are concerned.
 */
export class ModelConnection {
  readonly nats: NatsConnection;
  readonly #server: ModelServer;
  readonly #status = new StatusQueue();
  #isConnected = true;
  #isClosed = false;
  /** All that the client has; those that the server has not taken are behind `#taken`. */
  #subscriptions: Subscription[] = [];
  readonly #byInbox = new Map<string, Subscription>();
  #sent: Subscription[] = [];
  #taken = 0;
  #requests: Request[] = [];
  #channels = new Map<string, Channel>();
  /** Where the pulls of a consumer are answered to. */
  readonly #inboxes = new Map<string, string>();
  #live: LiveCopy[] = [];
  #nextReply = 0;

  constructor(server: ModelServer) {
    this.#server = server;
    this.nats = this.#connection();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get requests(): readonly { readonly stage: RequestStage; readonly subject: string }[] {
    const waiting: { stage: RequestStage; subject: string }[] = [...this.#requests];
    for (const { messages, subject } of this.#channels.values()) {
      if (messages.length > 0) waiting.push({ stage: "answered", subject });
    }
    return waiting;
  }

  /**
   * Moves a request on by one stage. A pull has no answer of its own: once it is answered, each entry "answered" of its
   * consumer is the next message, as long as there are any. A request that the server does not answer ends there.
   */
  advance(index: number): void {
    const request = this.#requests[index];
    if (!request) this.#deliverPulled(index - this.#requests.length);
    else if (request.stage === "sent") this.#take(index, request);
    else if (request.stage === "taken") this.#answer(index, request);
    else {
      this.#requests.splice(index, 1);
      this.#deliverAnswer(request);
    }
  }

  /** Subscriptions that the server has not taken yet. */
  get pendingSubscriptions(): number {
    return this.#sent.length - this.#taken;
  }

  /** The server takes all subscriptions that were made so far. */
  takeSubscriptions(): void {
    this.#takeSubscriptions(this.#sent.length);
  }

  get liveCount(): number {
    return this.#live.length;
  }

  deliverLive(): void {
    const copy = this.#live.shift();
    copy?.subscription.callback(null, copy.message);
  }

  loseLive(): void {
    this.#live.shift();
  }

  disconnect(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    const lost = this.#requests;
    this.#requests = [];
    this.#live = [];
    this.#closeChannels();
    for (const subscription of this.#subscriptions) subscription.isTaken = false;
    this.#sent = [];
    this.#taken = 0;
    for (const { onLost } of lost) onLost?.(new errors.RequestError("connection disconnected"));
    this.#status.push({ type: "disconnect", server: SERVER });
  }

  reconnect(): void {
    if (this.#isConnected || this.#isClosed) return;
    this.#isConnected = true;
    this.#sent = [...this.#subscriptions];
    this.#taken = 0;
    this.#status.push({ type: "reconnect", server: SERVER });
  }

  /** A message was stored: copies go to the subscriptions that the server has now. */
  queueLive(message: StoredMessage, liveSubject: string, block: string): void {
    let copy: ModelMessage | null = null;
    for (const subscription of this.#subscriptions) {
      if (!subscription.isTaken || !subscription.isLive) continue;
      if (!matches(subscription.subject, liveSubject)) continue;
      copy ??= ModelMessage.withHeaders(liveSubject, "", block, message.data);
      this.#live.push({ subscription, message: copy });
    }
  }

  #take(index: number, request: Request): void {
    this.#takeSubscriptions(request.subscriptionsBefore);
    for (const earlier of this.#requests.slice(0, index)) {
      if (earlier.kind === "publish" && earlier.stage === "sent") earlier.stage = "taken";
    }
    request.stage = "taken";
  }

  #takeSubscriptions(count: number): void {
    for (; this.#taken < count; this.#taken++) {
      const subscription = this.#sent[this.#taken] as Subscription;
      subscription.isTaken = true;
    }
  }

  #answer(index: number, request: Request): void {
    if (request.kind === "publish") {
      // The publishes of one connection are stored in order.
      for (const earlier of this.#requests.slice(0, index)) {
        if (earlier.kind === "publish" && earlier.stage !== "answered") this.#store(earlier);
      }
      this.#store(request);
      this.#dropIfUnanswered(request);
      return;
    }
    request.stage = "answered";
    if (request.kind === "ping") return;
    const { api, readsFromFollower } = this.#server;
    const body = Buffer.from(request.data).toString();
    if (request.kind === "pull") {
      const name = request.target.slice(request.target.lastIndexOf(".") + 1);
      api.pull(name, request.reply, body, this.#channelOf(name));
    } else request.answer = api.answer(request.target.slice(API.length), body, readsFromFollower);
    this.#dropIfUnanswered(request);
  }

  #dropIfUnanswered(request: Request): void {
    if (request.answer && request.reply !== "") return;
    const at = this.#requests.indexOf(request);
    if (at !== -1) this.#requests.splice(at, 1);
  }

  #store(request: Request): void {
    const { log, api, subjects } = this.#server;
    request.stage = "answered";
    if (!matches(subjects, request.target)) {
      request.answer = NO_RESPONDERS;
      return;
    }
    request.answer = api.acknowledge(log.accept(request.target, request.block, request.data));
  }

  #deliverAnswer({ answer, reply, onPong }: Request): void {
    onPong?.();
    if (onPong || !answer) return;
    const data = typeof answer.data === "string" ? Buffer.from(answer.data) : answer.data;
    this.#deliver(reply, ModelMessage.withHeaders(reply, "", answer.block, data));
  }

  #deliverPulled(at: number): void {
    let left = at;
    for (const [name, channel] of this.#channels) {
      if (channel.messages.length === 0) continue;
      if (left-- > 0) continue;
      const message = channel.messages.shift() as ModelMessage;
      const inbox = this.#inboxes.get(name);
      if (inbox !== undefined) this.#deliver(inbox, message);
      return;
    }
  }

  /** To the subscription for an inbox, or for all inboxes of its prefix. */
  #deliver(inbox: string, message: ModelMessage): void {
    const wildcard = `${inbox.slice(0, inbox.lastIndexOf("."))}.*`;
    const subscription = this.#byInbox.get(inbox) ?? this.#byInbox.get(wildcard);
    subscription?.callback(null, message);
  }

  #channelOf(name: string): Channel {
    const known = this.#channels.get(name);
    if (known) return known;
    const channel = new Channel(`${PULL}${this.#server.stream}`);
    this.#channels.set(name, channel);
    return channel;
  }

  #closeChannels(): void {
    for (const channel of this.#channels.values()) channel.isOpen = false;
    this.#channels = new Map();
    this.#inboxes.clear();
  }

  #publish(
    target: string,
    payload: Payload | undefined,
    options: { reply?: string; headers?: MsgHdrs } = {},
  ): void {
    if (this.#isClosed) throw new errors.ClosedConnectionError();
    if (!this.#isConnected) return;
    const { reply = "", headers } = options;
    const isApi = target.startsWith(API);
    // A signal to other clients: nobody here listens.
    if (!isApi && reply === "" && !matches(this.#server.subjects, target)) return;
    const kind = target.startsWith(PULL) ? "pull" : isApi ? "api" : "publish";
    if (kind === "pull") this.#inboxes.set(target.slice(target.lastIndexOf(".") + 1), reply);
    this.#requests.push({
      stage: "sent",
      subject: isApi ? withoutName(target, this.#server.stream) : target,
      kind,
      target,
      reply,
      block: headers ? encodedBlock(headers) : "",
      data: bytesOf(payload),
      subscriptionsBefore: this.#sent.length,
      answer: null,
      onPong: null,
      onLost: null,
    });
  }

  #ping(): Promise<void> {
    if (this.#isClosed) return Promise.reject(new errors.ClosedConnectionError());
    return new Promise((resolve, reject) => {
      if (!this.#isConnected) {
        reject(new errors.RequestError("connection disconnected"));
        return;
      }
      this.#requests.push({
        stage: "sent",
        subject: PING,
        kind: "ping",
        target: PING,
        reply: PING,
        block: "",
        data: NOTHING,
        subscriptionsBefore: this.#sent.length,
        answer: { block: "", data: "" },
        onPong: resolve,
        onLost: reject,
      });
    });
  }

  #subscribe(subject: string, callback: Deliver): Subscription {
    if (this.#isClosed) throw new errors.ClosedConnectionError();
    const isLive = subject.startsWith(`${this.#server.livePrefix}.`);
    const subscription: Subscription = { subject, callback, isLive, isTaken: false };
    this.#subscriptions.push(subscription);
    if (!isLive) this.#byInbox.set(subject, subscription);
    if (this.#isConnected) this.#sent.push(subscription);
    return subscription;
  }

  #unsubscribe(subscription: Subscription): void {
    const at = this.#subscriptions.indexOf(subscription);
    if (at === -1) return;
    this.#subscriptions.splice(at, 1);
    if (!subscription.isLive) this.#byInbox.delete(subscription.subject);
    // The client hears no more of it, even what is on its way.
    this.#live = this.#live.filter((copy) => copy.subscription !== subscription);
  }

  #request(target: string, payload: Payload | undefined): Promise<Msg> {
    const inbox = `_INBOX_model.${this.#nextReply++}`;
    return new Promise((resolve) => {
      const subscription = this.#subscribe(inbox, (_error, message) => {
        this.#unsubscribe(subscription);
        resolve(message);
      });
      this.#publish(target, payload, { reply: inbox });
    });
  }

  #close(): Promise<void> {
    this.disconnect();
    this.#isClosed = true;
    this.#subscriptions = [];
    this.#byInbox.clear();
    this.#status.end();
    return Promise.resolve();
  }

  /** As much of the client's connection as the bus, and what the bus makes of it, use. */
  #connection(): NatsConnection {
    const used: Pick<
      NatsConnection,
      "publish" | "flush" | "request" | "close" | "isClosed" | "getServer"
    > & { options: object; subscribe: object; status(): AsyncIterable<Status> } = {
      options: { inboxPrefix: "_INBOX_model" },
      publish: (subject, payload, options) => this.#publish(subject, payload, options),
      subscribe: (subject: string, options: { callback: Deliver }) => {
        const subscription = this.#subscribe(subject, options.callback);
        return { unsubscribe: () => this.#unsubscribe(subscription) };
      },
      request: (subject, payload) => this.#request(subject, payload),
      flush: () => this.#ping(),
      status: () => this.#status,
      getServer: () => SERVER,
      isClosed: () => this.#isClosed,
      close: () => this.#close(),
    };
    return used as unknown as NatsConnection;
  }
}

const SERVER = "model";

/** Names of consumers are random: what is shown ends with the stream. */
function withoutName(target: string, stream: string): string {
  const end = target.indexOf(`.${stream}.`);
  return end === -1 ? target : target.slice(0, end + stream.length + 1);
}

function encodedBlock(headers: MsgHdrs): string {
  const bytes = (headers as unknown as { encode(): Uint8Array }).encode();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

function bytesOf(payload: Payload | undefined): Uint8Array {
  if (payload === undefined) return NOTHING;
  return typeof payload === "string" ? Buffer.from(payload) : payload;
}

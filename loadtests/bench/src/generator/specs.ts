/** What the generator can be told to do. All of it crosses a process boundary, so it is plain data. */
export type RunSpec = FanoutSpec | IdleSpec | StormSpec | RequestSpec | ChatSpec | ReplaySpec;

/**
 * In texts `{n}` is the topic's number, `{digits}` the message's, `{time}` a time that goes up with it, and `{run}` what
 * tells this run from all others.
 */
export type Template = string;

/** One step of opening a connection: what is sent, and what in the answer says that it has been done. */
export interface OpeningStep {
  readonly send?: Template;
  readonly until: string;
}

export interface SubscriberSpec {
  readonly transport: "sse" | "ws";
  /** Taken in turn: one for each replica. */
  readonly ports: readonly number[];
  readonly path: Template;
  /** Connection `i` listens to topic `i % topics`. */
  readonly connections: number;
  readonly topics: number;
  /** Bearer tokens; each is for `topicsEach` topics. */
  readonly tokens?: { readonly values: readonly string[]; readonly topicsEach: number };
  /** The request is the first step; what follows is sent as WebSocket text frames. */
  readonly ready: string;
  readonly steps?: readonly OpeningStep[];
  /** Receivers that may skip messages (positions); they must still never go back. */
  readonly maySkip?: boolean;
}

export type PublisherSpec =
  /** The control connection of our own baseline servers: `<topic> <bytes>\n` and a body. */
  | {
      readonly via: "control";
      readonly ports: readonly number[];
      readonly frame?: "sse" | "ws";
    }
  | {
      readonly via: "redis";
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly channel: Template;
    }
  | {
      readonly via: "nats";
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly subject: Template;
      /** With one it is a publish to JetStream, and its acknowledgements are counted. */
      readonly messageId?: Template;
    }
  | { readonly via: "http"; readonly port: number; readonly path: Template };

export interface FanoutSpec {
  readonly kind: "fanout";
  readonly subscribers: SubscriberSpec;
  readonly publisher: PublisherSpec;
  readonly body: Template;
  /** What stands before the eight digits in a delivered message. */
  readonly marker: string;
  /** Messages a second over all topics, `burst` of them at once. */
  readonly perSecond: number;
  readonly burst: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

/** Holds connections that are silent. */
export interface IdleSpec {
  readonly kind: "idle";
  readonly subscribers: SubscriberSpec;
  readonly settleMs: number;
}

/** Cuts all connections at once and opens them again. */
export interface StormSpec {
  readonly kind: "storm";
  readonly subscribers: SubscriberSpec;
  /** Connections on their way at the same time. */
  readonly atOnce: number;
  /** Sends the last event id that a stream has told. */
  readonly resumes: boolean;
}

/** Requests over connections that each wait for an answer before the next one. */
export interface RequestSpec {
  readonly kind: "requests";
  readonly ports: readonly number[];
  readonly connections: number;
  readonly method: "POST" | "PUT";
  readonly path: Template;
  readonly body: Template;
  /** One for each connection in turn. */
  readonly tokens: readonly string[];
  readonly expectStatus: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

/** Conversations of a sender and a receiver each, topic `n` being the `n`th. */
export interface ChatSpec {
  readonly kind: "chat";
  readonly senders: SubscriberSpec;
  readonly receivers: SubscriberSpec;
  /** A text frame. */
  readonly message: Template;
  /** What stands before a message's eight digits, in its acknowledgement and where it is delivered. */
  readonly marker: Template;
  /** Messages of one sender that wait for their acknowledgement, when they are sent as fast as they are acknowledged. */
  readonly inFlight: number;
  /** Over all senders, at a steady rate instead. */
  readonly perSecond?: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

/** One topic is published as fast as its bus takes it, to streams that are live; then as many streams read it again. */
export interface ReplaySpec {
  readonly kind: "replay";
  /** All of one topic. */
  readonly subscribers: SubscriberSpec;
  readonly publisher: PublisherSpec;
  readonly body: Template;
  readonly marker: string;
  readonly events: number;
  /** Streams of another topic, to which messages go at a steady rate all the while. */
  readonly others: SubscriberSpec;
  readonly othersPublisher: PublisherSpec;
  readonly othersPerSecond: number;
  readonly windowMs: number;
}

/** Figures by name, all of them numbers: microseconds, milliseconds or counts as the name says. */
export type Figures = Readonly<Record<string, number>>;

export type ToGenerator =
  | { readonly type: "run"; readonly spec: RunSpec }
  | { readonly type: "go" };
export type FromGenerator =
  | { readonly type: "ready" }
  /** Load has begun or ended; the generator waits for `go` at either. */
  | { readonly type: "begin" | "end" }
  | { readonly type: "result"; readonly figures: Figures }
  | { readonly type: "failed"; readonly message: string };

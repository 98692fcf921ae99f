import type { HeardEvent } from "@localstreet/oracle/stream-recorder";

/** Somebody's implementation of server-sent events. It comes back by itself and resumes by the id that it knows. */
export interface SeamClient {
  readonly name: string;
  open(options: SeamStreams): Promise<OpenStreams>;
}

export interface SeamStreams {
  /** Where each stream finds the gateway, through whatever cuts its connections. */
  readonly origins: readonly string[];
  /** Of the stream, without the origin. */
  readonly path: string;
  readonly token: string;
  /** Every event that a stream dispatches, by the number of the stream. */
  hear(stream: number, event: HeardEvent): void;
}

export interface OpenStreams {
  close(): Promise<void>;
}

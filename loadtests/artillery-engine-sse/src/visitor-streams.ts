import type { ConnectionState } from "@localstreet/client/connection-state";
import {
  type EventStream,
  openEventStream,
  type StreamEvent,
} from "@localstreet/client/event-stream";
import type { Metrics, SseConfig } from "./artillery.ts";
import { createEventQueue, type EventQueue } from "./event-queue.ts";

export interface StreamSpec {
  readonly url: string;
  /** For `Authorization: Bearer`. */
  readonly token: string;
  readonly lastEventId?: string | undefined;
  onEvent(event: StreamEvent): void;
  onRepeated(event: StreamEvent): void;
  onState(state: ConnectionState): void;
}

/** The streams of one visitor, each under a name. */
export interface VisitorStreams {
  /** Resolves with the first event. @throws when there is none in time, or the stream is refused. */
  open(name: string, spec: StreamSpec): Promise<void>;
  /** The events of a stream that no `expect` has taken yet. @throws when it was not opened. */
  events(name: string): EventQueue;
  close(name: string): void;
  closeAll(): void;
}

export const DEFAULT_TIMEOUT_SECONDS = 10;
const DEFAULT_BACKOFF_MS = { base: 500, cap: 10_000 };

/** Streams that come back by themselves and go on where they were, as a browser's do. */
export function createVisitorStreams(metrics: Metrics, config: SseConfig): VisitorStreams {
  const streams = new Map<string, { stream: EventStream; queue: EventQueue }>();
  const timeoutMs = (config.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1_000;

  function close(name: string): void {
    streams.get(name)?.stream.close();
    streams.delete(name);
  }

  return {
    async open(name, spec) {
      close(name);
      const queue = createEventQueue();
      let beganAtMs = performance.now();
      let opened = false;
      const stream = openEventStream({
        url: spec.url,
        token: spec.token,
        lastEventId: spec.lastEventId,
        backoffMs: config.backoffMs ?? DEFAULT_BACKOFF_MS,
        onEvent(event) {
          metrics.emit("counter", "sse.events", 1);
          metrics.emit("counter", `sse.events.${event.event}`, 1);
          spec.onEvent(event);
          queue.push(event);
        },
        onRepeated(event) {
          metrics.emit("counter", "sse.repeated", 1);
          spec.onRepeated(event);
        },
        onState(state) {
          spec.onState(state);
          if (state.phase === "open") {
            const waitedMs = performance.now() - beganAtMs;
            metrics.emit("counter", opened ? "sse.reconnects" : "sse.streams", 1);
            metrics.emit("histogram", opened ? "sse.reconnect_ms" : "sse.open_ms", waitedMs);
            opened = true;
          } else if (state.phase === "waiting") {
            beganAtMs = performance.now();
            metrics.emit("counter", "sse.cut", 1);
          } else if (state.phase === "refused") {
            queue.fail(new Error(`${spec.url} was refused: ${state.code}`));
          }
        },
      });
      streams.set(name, { stream, queue });
      await queue.first(timeoutMs, `the beginning of ${spec.url}`);
    },
    events(name) {
      const found = streams.get(name);
      if (!found) throw new Error(`no stream "${name}" was opened`);
      return found.queue;
    },
    close,
    closeAll() {
      for (const name of [...streams.keys()]) close(name);
    },
  };
}

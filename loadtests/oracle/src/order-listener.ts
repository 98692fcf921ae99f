import type { ConnectionState } from "@localstreet/client/connection-state";
import { openEventStream } from "@localstreet/client/event-stream";
import { createGate } from "./gate.ts";
import type { Ledger } from "./ledger.ts";
import { createStreamRecorder } from "./stream-recorder.ts";
import type { Target } from "./target.ts";

export interface OrderListener {
  readonly receiver: string;
  readonly state: ConnectionState;
  /** Connections that were opened. */
  readonly connections: number;
  /** Resolves at the first `resume`; rejects when the stream is refused for good or after `timeoutMs` (15 s). */
  opened(timeoutMs?: number): Promise<void>;
  /** What is offered from now on is not owed to it. */
  close(): void;
}

export interface OrderListenerOptions {
  target: Target;
  ledger: Ledger;
  /** Its name in the ledger, which no other client has. */
  receiver: string;
  vendorId: string;
  /** `activity` is the dashboard's stream (PROTOCOL.md S12). */
  stream?: "notifications" | "activity";
  silenceMs?: number;
  backoffMs?: { base: number; cap: number };
  onState?: (state: ConnectionState) => void;
}

/** A vendor's device: it listens, comes back by itself, resumes by id, and knows an event by its id. */
export function openOrderListener(options: OrderListenerOptions): OrderListener {
  const { target, ledger, receiver, vendorId } = options;
  const identity = { role: "vendor", sub: receiver, vendors: [vendorId] } as const;
  const gate = createGate(`the stream of ${receiver}`);
  const recorder = createStreamRecorder({ ledger, receiver, vendorId });

  const stream = openEventStream({
    url: `${target.url}/api/vendor/${vendorId}/${options.stream ?? "notifications"}/stream`,
    token: () => target.tokenFor(identity),
    onEvent(event) {
      recorder.hear(event);
      if (event.event === "resume") gate.open();
    },
    onRepeated: recorder.hearAgain,
    onState(state) {
      if (state.phase === "refused") gate.refuse(state.code);
      options.onState?.(state);
    },
    ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
    ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
  });

  return {
    receiver,
    get state() {
      return stream.state;
    },
    get connections() {
      return recorder.connections;
    },
    opened: (timeoutMs = 15_000) => gate.opened(timeoutMs),
    close() {
      recorder.leave();
      stream.close();
    },
  };
}

import type { ConnectionState } from "@localstreet/client/connection-state";
import { openEventStream, type StreamEvent } from "@localstreet/client/event-stream";
import type { ActivityEvent } from "@localstreet/contracts/dashboard";
import { parseEventId } from "@localstreet/contracts/event-id";
import type { ResumeEvent } from "@localstreet/contracts/vendor-events";
import { nowMs } from "./clock.ts";
import { createGate } from "./gate.ts";
import { activityKey, type Ledger, orderKey } from "./ledger.ts";
import { readLifeEvent } from "./order-life.ts";
import { ReplayCheck } from "./replay-check.ts";
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
  let connections = 0;
  let replay: ReplayCheck | undefined;
  ledger.admit(receiver, vendorId);

  const stream = openEventStream({
    url: `${target.url}/api/vendor/${vendorId}/${options.stream ?? "notifications"}/stream`,
    token: () => target.tokenFor(identity),
    onEvent(event) {
      if (event.event === "resume") onResume(JSON.parse(event.data));
      else if (event.event === "new-order") onOrder(event);
      else if (event.event === "activity") onActivity(JSON.parse(event.data));
      else onLife(event);
    },
    onRepeated(event) {
      checkReplay(event);
      ledger.dropped(receiver, "repeated");
    },
    onState(state) {
      if (state.phase === "refused") gate.refuse(state.code);
      options.onState?.(state);
    },
    ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
    ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
  });

  function onResume({ status, from, to, replayed }: ResumeEvent): void {
    const fromSequence = sequenceOf(from);
    const toSequence = sequenceOf(to);
    const range = { group: vendorId, from: fromSequence, to: toSequence };
    ledger.sawVerdict(receiver, status, range);
    if (status === "fresh" && connections > 0) ledger.broken(receiver, "resume forgot the id");
    const isCounted = status !== "fresh" && replayed !== null;
    replay = isCounted ? new ReplayCheck(replayed, toSequence) : undefined;
    connections += 1;
    if (connections === 1) ledger.join(receiver, vendorId);
    gate.open();
  }

  function onOrder(event: StreamEvent): void {
    checkReplay(event);
    const order = JSON.parse(event.data) as { vendorId: string; orderId: string };
    const key = orderKey(order.vendorId, order.orderId);
    const id = event.id ?? undefined;
    ledger.receive(receiver, { key, id, group: order.vendorId, atMs: nowMs() });
  }

  function onLife(event: StreamEvent): void {
    const told = readLifeEvent(event.event, event.data, orderKey);
    if (!told) return;
    checkReplay(event);
    ledger.follow(receiver, { ...told, id: event.id ?? undefined, atMs: nowMs() });
  }

  function onActivity(activity: ActivityEvent): void {
    if (activity.kind !== "chat") return;
    const [clientMessageId = ""] = activity.text.split(" ", 1);
    const key = activityKey(clientMessageId);
    // It carries no id, so that of what nobody offered here nothing can be said.
    if (ledger.knows(key)) ledger.receive(receiver, { key, atMs: nowMs() });
    else ledger.dropped(receiver, "others' activity");
  }

  function checkReplay({ id }: StreamEvent): void {
    const wrong = id === null ? null : replay?.onEvent(sequenceOf(id));
    if (wrong) ledger.broken(receiver, wrong);
  }

  return {
    receiver,
    get state() {
      return stream.state;
    },
    get connections() {
      return connections;
    },
    opened: (timeoutMs = 15_000) => gate.opened(timeoutMs),
    close() {
      ledger.leave(receiver, vendorId);
      stream.close();
    },
  };
}

function sequenceOf(id: string | null): number {
  return id === null ? 0 : (parseEventId(id)?.sequence ?? 0);
}

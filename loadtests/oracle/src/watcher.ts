import type { ConnectionState } from "@localstreet/client/connection-state";
import { openSocket, type PushFrame, SocketError } from "@localstreet/client/socket";
import { raise } from "@localstreet/contracts/raise";
import { isFinal, type Position } from "@localstreet/contracts/tracking";
import { nowMs } from "./clock.ts";
import { createGate } from "./gate.ts";
import { jitteredMs } from "./jitter.ts";
import { fixKey, type Ledger } from "./ledger.ts";
import { OrderedWebSocket } from "./ordered-web-socket.ts";
import type { Identity, Target } from "./target.ts";

export interface Watcher {
  readonly receiver: string;
  readonly state: ConnectionState;
  /** Times that the watch was opened. */
  readonly connections: number;
  /** The delivery's status as it was told last. */
  readonly status: string | undefined;
  /** Resolves at the first `watching`; rejects when it is refused for good or after `timeoutMs` (15 s). */
  opened(timeoutMs?: number): Promise<void>;
  close(): void;
}

/** Somebody who watches one delivery, and after a cut goes on from the newest position that was shown. */
export function openWatcher(options: {
  target: Target;
  ledger: Ledger;
  /** Its name in the ledger, which no other client has. */
  receiver: string;
  identity: Identity;
  deliveryId: string;
  backoffMs?: { base: number; cap: number };
  onState?: (state: ConnectionState) => void;
}): Watcher {
  const { target, ledger, receiver, identity, deliveryId } = options;
  const gate = createGate(`the watch of ${receiver}`);
  let connections = 0;
  let status: string | undefined;
  let shownMs = 0;
  let isOver = false;
  ledger.admit(receiver, deliveryId);

  const socket = openSocket({
    url: `${target.socketUrl}/api/tracking/ws`,
    token: () => target.tokenFor(identity),
    WebSocket: OrderedWebSocket,
    onFrame,
    onState(state) {
      if (state.phase === "open") watch(0).catch(raise);
      if (state.phase === "refused") gate.refuse(state.code);
      options.onState?.(state);
    },
    ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
  });

  async function watch(failures: number): Promise<void> {
    const after = shownMs > 0 ? { after: new Date(shownMs).toISOString() } : {};
    try {
      const watching = await socket.send({ type: "watch-delivery", deliveryId, ...after });
      onStatus(watching.status);
      if (watching.driver.position) show(deliveryId, watching.driver.position, "overlap");
      connections += 1;
      if (connections === 1 && !isOver) ledger.join(receiver, deliveryId);
      gate.open();
    } catch (error) {
      // On the next connection it is asked again.
      if (!(error instanceof SocketError) || socket.state.phase !== "open") return;
      if (!error.retryable) gate.refuse(error.code);
      else setTimeout(() => void watch(failures + 1), jitteredMs(failures, error.retryAfterMs));
    }
  }

  function onFrame(frame: PushFrame): void {
    if (frame.type === "location-update") show(frame.deliveryId, frame, "repeated");
    if (frame.type === "delivery-updated" && frame.deliveryId === deliveryId)
      onStatus(frame.status);
  }

  function show(shownDeliveryId: string, { recordedAt }: Position, ifSame: string): void {
    const seq = Date.parse(recordedAt);
    if (shownDeliveryId === deliveryId) {
      if (seq === shownMs) {
        ledger.dropped(receiver, ifSame);
        return;
      }
      shownMs = Math.max(shownMs, seq);
    }
    const key = fixKey(shownDeliveryId, seq);
    ledger.receive(receiver, { key, seq, group: shownDeliveryId, atMs: nowMs() });
  }

  function onStatus(next: Parameters<typeof isFinal>[0]): void {
    status = next;
    if (isFinal(next)) leave();
  }

  function leave(): void {
    isOver = true;
    ledger.leave(receiver, deliveryId);
  }

  return {
    receiver,
    get state() {
      return socket.state;
    },
    get connections() {
      return connections;
    },
    get status() {
      return status;
    },
    opened: (timeoutMs = 15_000) => gate.opened(timeoutMs),
    close() {
      leave();
      socket.close();
    },
  };
}

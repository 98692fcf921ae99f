import type { ConnectionState } from "@localstreet/client/connection-state";
import { openSocket, SocketError } from "@localstreet/client/socket";
import type { DeliveryId } from "@localstreet/contracts/ids";
import { raise } from "@localstreet/contracts/raise";
import { type DeliveryStatus, isFinal, type Position } from "@localstreet/contracts/tracking";
import type { PageToken } from "../fetch-json.ts";
import type { Session } from "../session.ts";
import { createStore } from "../store.ts";

export interface TrackingState {
  readonly connection: ConnectionState;
  /** `null` until the server has answered. */
  readonly status: DeliveryStatus | null;
  /** The newest positions, oldest first. */
  readonly positions: readonly Position[];
  /** Why the server refuses to show this delivery: a problem code. */
  readonly refused: string | null;
  /** Frames that could not be read. */
  readonly unreadable: number;
}

export const NO_TRACKING: TrackingState = {
  connection: { phase: "connecting" },
  status: null,
  positions: [],
  refused: null,
  unreadable: 0,
};

/** Two minutes of a trail, with a fix every 5 s. */
const MAX_POSITIONS = 24;
const RETRY_MS = 3_000;

/** Watches one delivery until it is over (PROTOCOL.md T5 to T8). */
export function openTracking(options: {
  deliveryId: DeliveryId;
  token: PageToken;
}): Session<TrackingState> {
  const { deliveryId, token } = options;
  const store = createStore<TrackingState>(NO_TRACKING);
  const update = (change: Partial<TrackingState>) => store.set({ ...store.get(), ...change });
  let retryTimer: ReturnType<typeof setTimeout> | undefined;

  function addPosition(position: Position): void {
    const { positions } = store.get();
    const newest = positions.at(-1);
    if (newest && newest.recordedAt >= position.recordedAt) return;
    update({ positions: [...positions, position].slice(-MAX_POSITIONS) });
  }

  function watchAgain(): void {
    watch().catch(raise);
  }

  async function watch(): Promise<void> {
    const after = store.get().positions.at(-1)?.recordedAt;
    try {
      const watching = await socket.send({
        type: "watch-delivery",
        deliveryId,
        ...(after === undefined ? {} : { after }),
      });
      update({ status: watching.status, refused: null });
      if (watching.driver.position) addPosition(watching.driver.position);
    } catch (error) {
      if (!(error instanceof SocketError)) update({ refused: "internal" });
      else if (!error.retryable) update({ refused: error.code });
      // A lost connection watches again when it is back.
      else if (socket.state.phase === "open")
        retryTimer = setTimeout(watchAgain, error.retryAfterMs ?? RETRY_MS);
    }
  }

  const socket = openSocket({
    url: new URL("/api/tracking/ws", location.href.replace(/^http/, "ws")).href,
    token,
    onState(connection) {
      clearTimeout(retryTimer);
      update({ connection });
      const { status } = store.get();
      if (connection.phase === "open" && !(status && isFinal(status))) watchAgain();
    },
    onUnreadable: ({ count }) => update({ unreadable: count }),
    onFrame(frame) {
      if (frame.type === "error" || frame.type === "message") return;
      if (frame.deliveryId !== deliveryId) return;
      if (frame.type === "location-update") addPosition(frame);
      else if (frame.type === "delivery-updated") update({ status: frame.status });
    },
  });
  return {
    store,
    close() {
      clearTimeout(retryTimer);
      socket.close();
    },
  };
}

import { isDeepStrictEqual } from "node:util";
import type { Deliveries } from "@localstreet/bus/deliveries";
import type { DeliveryId } from "@localstreet/contracts/ids";
import { Problem } from "@localstreet/contracts/problem";
import { raise } from "@localstreet/contracts/raise";
import type {
  Delivery,
  Position,
  unwatchDeliveryFrameSchema,
  unwatchedFrameSchema,
  watchDeliveryFrameSchema,
  watchingFrameSchema,
} from "@localstreet/contracts/tracking";
import { createAudience } from "@localstreet/fanout/audience";
import { encodeTextFrame } from "@localstreet/fanout/ws-connection";
import type { SocketSession } from "@localstreet/service-kit/ws-session";
import type { z } from "zod";
import { isParty, mayWatch } from "./delivery-access.ts";
import { driverAt } from "./driver-state.ts";
import type { Following, PositionFeed } from "./position-feed.ts";

/** A client's socket, with its watches. */
export type TrackingSession = SocketSession<TrackingSessionData>;

export interface TrackingSessionData {
  readonly watches: Map<DeliveryId, Watch>;
  isOpen: boolean;
}

/** One client's watch of one delivery. */
export interface Watch {
  readonly session: TrackingSession;
  readonly deliveryId: DeliveryId;
  /** Whether `watching` has been sent: nothing else goes before it. */
  answered: boolean;
  /** The newest position that came since the watch began. */
  newest: Position | null;
  /** `recordedAt` of the newest position that the client has; "" for none. */
  shownAt: string;
}

/** A delivery with watchers here. */
interface WatchedDelivery {
  /** As its watchers know it. */
  delivery: Delivery;
  readonly following: Following;
}

export interface DeliveryWatches {
  /**
   * Answers with `watching`; then positions and changes follow until the delivery or the watch ends (PROTOCOL.md T5 to
   * T8).
   *
   * @throws {Problem} `not-found` for who may not watch it now, `too-many-watches`.
   */
  start(session: TrackingSession, frame: z.infer<typeof watchDeliveryFrameSchema>): Promise<void>;
  /** Answers with `unwatched`, whether the delivery was watched or not. */
  stop(session: TrackingSession, frame: z.infer<typeof unwatchDeliveryFrameSchema>): void;
  /** The socket has closed. */
  close(session: TrackingSession): void;
}

export function openDeliveryWatches(options: {
  deliveries: Deliveries;
  feed: PositionFeed;
  watchesPerConnection: number;
}): DeliveryWatches {
  const { deliveries, feed, watchesPerConnection } = options;
  const watched = new Map<DeliveryId, WatchedDelivery>();
  const audience = createAudience<DeliveryId, Watch>({
    onLast(deliveryId) {
      watched.get(deliveryId)?.following.stop();
      watched.delete(deliveryId);
    },
  });

  function follow(deliveryId: DeliveryId, delivery: Delivery): Following {
    const { driverId } = delivery;
    const known = watched.get(deliveryId);
    if (known?.following.driverId === driverId) return known.following;
    const following = feed.follow(driverId, (position) => show(deliveryId, position));
    watched.set(deliveryId, { delivery, following });
    known?.following.stop();
    return following;
  }

  /** One frame for all watchers; one whose socket has not drained gets only the newest when it has. */
  function show(deliveryId: DeliveryId, position: Position): void {
    let frame: Buffer | undefined;
    for (const watch of audience.of(deliveryId)) {
      if (isLater(position, watch.newest)) watch.newest = position;
      if (!watch.answered || position.recordedAt <= watch.shownAt) continue;
      watch.shownAt = position.recordedAt;
      frame ??= encodeTextFrame(
        JSON.stringify({ type: "location-update", deliveryId, ...position }),
      );
      watch.session.connection.sendLatest(deliveryId, frame);
    }
  }

  deliveries.onChange((deliveryId, delivery) => {
    const known = watched.get(deliveryId);
    // The copy may come to know only now what a watch began with.
    if (!known || isDeepStrictEqual(known.delivery, delivery)) return;
    const frame = encodeTextFrame(
      JSON.stringify({ type: "delivery-updated", deliveryId, status: delivery?.status }),
    );
    for (const watch of [...audience.of(deliveryId)]) {
      const { principal, connection } = watch.session;
      if (watch.answered && delivery && isParty(principal, delivery)) connection.send(frame);
      if (!delivery || !mayWatch(principal, delivery)) end(watch);
    }
    if (!delivery || !watched.has(deliveryId)) return;
    known.delivery = delivery;
    if (delivery.driverId !== known.following.driverId) moveTo(deliveryId, delivery).catch(raise);
  });

  /** From a change of driver on, only positions of the new one are shown. */
  async function moveTo(deliveryId: DeliveryId, delivery: Delivery): Promise<void> {
    const following = follow(deliveryId, delivery);
    for (const watch of audience.of(deliveryId)) watch.newest = null;
    const position = await following.newest();
    if (position && watched.get(deliveryId)?.following === following) show(deliveryId, position);
  }

  function leave(watch: Watch): void {
    watch.session.data.watches.delete(watch.deliveryId);
    audience.leave(watch.deliveryId, watch);
  }

  function end(watch: Watch): void {
    leave(watch);
    if (watch.answered) watch.session.send(unwatched(watch.deliveryId));
  }

  return {
    async start(session, { deliveryId, after, ref }) {
      let delivery = await deliveries.find(deliveryId);
      if (!session.data.isOpen) return;
      if (!delivery || !mayWatch(session.principal, delivery)) throw new Problem("not-found");
      let watch = session.data.watches.get(deliveryId);
      if (!watch) {
        if (session.data.watches.size >= watchesPerConnection)
          throw new Problem("too-many-watches");
        watch = { session, deliveryId, answered: false, newest: null, shownAt: "" };
        session.data.watches.set(deliveryId, watch);
        audience.join(deliveryId, watch);
      }
      if (after !== undefined && after > watch.shownAt) watch.shownAt = after;
      let following: Following;
      do {
        following = follow(deliveryId, delivery);
        const found = await following.newest();
        // Meanwhile the delivery may have changed or ended, and the socket closed.
        if (session.data.watches.get(deliveryId) !== watch) throw new Problem("not-found");
        delivery = deliveries.get(deliveryId) ?? delivery;
        if (!mayWatch(session.principal, delivery)) {
          leave(watch);
          throw new Problem("not-found");
        }
        if (following.driverId === delivery.driverId && found && isLater(found, watch.newest)) {
          watch.newest = found;
        }
      } while (following.driverId !== delivery.driverId);

      const driver = driverAt(watch.newest, Date.now());
      // An older one than the client has is not shown, but says how the driver is.
      const isShown = driver.position !== null && driver.position.recordedAt >= watch.shownAt;
      if (isShown && driver.fixAt !== null) watch.shownAt = driver.fixAt;
      const answer: z.infer<typeof watchingFrameSchema> = {
        type: "watching",
        ...(ref === undefined ? {} : { ref }),
        deliveryId,
        status: delivery.status,
        driver: isShown ? driver : { ...driver, position: null, fixAt: null },
      };
      session.send(answer);
      watch.answered = true;
    },
    stop(session, { deliveryId, ref }) {
      const watch = session.data.watches.get(deliveryId);
      if (watch) leave(watch);
      session.send(unwatched(deliveryId, ref));
    },
    close(session) {
      session.data.isOpen = false;
      for (const watch of [...session.data.watches.values()]) leave(watch);
    },
  };
}

function unwatched(deliveryId: DeliveryId, ref?: number): z.infer<typeof unwatchedFrameSchema> {
  return { type: "unwatched", ...(ref === undefined ? {} : { ref }), deliveryId };
}

function isLater(position: Position, than: Position | null): boolean {
  return than === null || position.recordedAt > than.recordedAt;
}

import type { Bus } from "@localstreet/bus/connection";
import type { PersonId } from "@localstreet/contracts/ids";
import { raise } from "@localstreet/contracts/raise";
import { liveTrackingSubject } from "@localstreet/contracts/subjects";
import { type Position, positionSchema } from "@localstreet/contracts/tracking";
import type { Logger } from "@localstreet/service-kit/logger";
import { RedisUnavailableError } from "@localstreet/service-kit/redis";
import type { Positions } from "./positions.ts";

/** Where the positions of watched drivers come from. */
export interface PositionFeed {
  /** Calls `onPosition` with each position of the driver from now on, at times with an old one or the same again. */
  follow(driverId: PersonId, onPosition: (position: Position) => void): Following;
  /** Sets the watch flags again and offers what Redis holds: at once, because a store is back. */
  refresh(): void;
  close(): void;
}

export interface Following {
  readonly driverId: PersonId;
  /**
   * The newest position, such that every later one comes to `onPosition`. `null` when there is none or Redis cannot say;
   * it comes to `onPosition` then when Redis can.
   */
  newest(): Promise<Position | null>;
  stop(): void;
}

interface WatchedDriver {
  readonly listeners: Set<(position: Position) => void>;
  /** Resolves when the bus sends us what is published from then on. */
  readonly subscribed: Promise<void>;
  readonly unsubscribe: () => void;
}

/**
 * One bus subscription for each driver that is watched here, and none for others. A signal may be lost, so every
 * `refreshMs`, and after a reconnect, the watch flags are set again and the positions compared with Redis.
 */
export function openPositionFeed(options: {
  bus: Bus;
  positions: Positions;
  refreshMs: number;
  logger: Logger;
}): PositionFeed {
  const { bus, positions, refreshMs, logger } = options;
  const drivers = new Map<PersonId, WatchedDriver>();

  function watchedDriver(driverId: PersonId): WatchedDriver {
    const known = drivers.get(driverId);
    if (known) return known;
    const subscription = bus.subscribe(liveTrackingSubject(driverId), ({ data }) => {
      const position = parseSignal(data);
      if (position) offer(driverId, position);
    });
    const driver: WatchedDriver = {
      listeners: new Set(),
      subscribed: flushed(),
      unsubscribe: () => subscription.unsubscribe(),
    };
    drivers.set(driverId, driver);
    return driver;
  }

  /** Without the bus there is nothing to wait for: positions come from Redis until it is back. */
  async function flushed(): Promise<void> {
    try {
      await bus.flush();
    } catch (error) {
      logger.debug({ err: error }, "a driver is watched without the bus");
    }
  }

  function parseSignal(data: Uint8Array): Position | null {
    try {
      return positionSchema.parse(JSON.parse(Buffer.from(data).toString()));
    } catch (error) {
      logger.error({ err: error }, "a signal on the bus is no position");
      return null;
    }
  }

  function offer(driverId: PersonId, position: Position): void {
    for (const listener of drivers.get(driverId)?.listeners ?? []) listener(position);
  }

  async function watch(driverIds: readonly PersonId[]): Promise<ReadonlyMap<PersonId, Position>> {
    try {
      const found = await positions.watch(driverIds);
      for (const [driverId, position] of found) offer(driverId, position);
      return found;
    } catch (error) {
      // The connection to Redis tells that it is away; anything else is a fault of ours.
      if (!(error instanceof RedisUnavailableError)) logger.error({ err: error }, "watch failed");
      return new Map();
    }
  }

  let refreshing = false;
  async function refresh(): Promise<void> {
    if (refreshing || drivers.size === 0) return;
    refreshing = true;
    await watch([...drivers.keys()]);
    refreshing = false;
  }
  function refreshNow(): void {
    refresh().catch(raise);
  }
  const timer = setInterval(refreshNow, refreshMs);
  const stopListening = bus.onReconnect(() => {
    flushed().then(refresh).catch(raise);
  });

  return {
    follow(driverId, onPosition) {
      const driver = watchedDriver(driverId);
      driver.listeners.add(onPosition);
      return {
        driverId,
        async newest() {
          await driver.subscribed;
          const found = await watch([driverId]);
          return found.get(driverId) ?? null;
        },
        stop() {
          driver.listeners.delete(onPosition);
          if (driver.listeners.size > 0 || drivers.get(driverId) !== driver) return;
          driver.unsubscribe();
          drivers.delete(driverId);
        },
      };
    },
    refresh: refreshNow,
    close() {
      clearInterval(timer);
      stopListening();
    },
  };
}

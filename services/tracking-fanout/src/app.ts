import { connectBus } from "@localstreet/bus/connection";
import { openDeliveries } from "@localstreet/bus/deliveries";
import { openRevocations } from "@localstreet/bus/revocations";
import { openConnectionLeases } from "@localstreet/service-kit/connection-leases";
import { natsOptions, registerNatsMetrics } from "@localstreet/service-kit/nats";
import { openRedis } from "@localstreet/service-kit/redis";
import { limitRequests, openingsRate } from "@localstreet/service-kit/request-limits";
import type { App, ServiceKit } from "@localstreet/service-kit/service";
import { openSharedRates } from "@localstreet/service-kit/shared-rate";
import type { TrackingFanoutConfig } from "./config.ts";
import { registerDeliveryRoutes } from "./delivery-routes.ts";
import { openDeliveryWatches } from "./delivery-watches.ts";
import { openPositionFeed } from "./position-feed.ts";
import { createPositions } from "./positions.ts";
import { registerWatchRoute } from "./watch-route.ts";

export async function buildApp(kit: ServiceKit<TrackingFanoutConfig>): Promise<App> {
  const { config, logger } = kit;
  const redis = await openRedis(kit);
  const leases = openConnectionLeases({
    redis,
    service: "tracking-fanout",
    leaseMs: config.LEASE_MS,
    refreshMs: config.LEASE_REFRESH_MS,
    logger,
    metrics: kit.metrics,
  });
  const rates = openSharedRates({
    redis,
    service: "tracking-fanout",
    waitMs: config.RATE_WAIT_MS,
    logger,
    metrics: kit.metrics,
  });
  limitRequests(kit, rates);
  const positions = createPositions(redis);
  const bus = await connectBus(natsOptions(kit));
  registerNatsMetrics(kit, bus);
  const revocations = await openRevocations(bus);
  kit.authenticator.refuseRevoked(revocations);
  const deliveries = await openDeliveries(bus);
  const feed = openPositionFeed({ bus, positions, refreshMs: config.WATCH_REFRESH_MS, logger });
  redis.on("ready", feed.refresh);
  const watches = openDeliveryWatches({
    deliveries,
    feed,
    watchesPerConnection: config.WATCHES_PER_CONNECTION,
  });
  registerDeliveryRoutes(kit, { deliveries, positions });
  const openings = openingsRate(config, rates);
  const socketRoute = await registerWatchRoute(kit, { leases, openings, watches });

  return {
    drain: (windowMs) => socketRoute.drain(windowMs),
    async close() {
      socketRoute.close();
      feed.close();
      deliveries.close();
      revocations.close();
      await leases.close();
      await bus.close();
      redis.disconnect();
    },
  };
}

import { connectBus } from "@localstreet/bus/connection";
import { openRevocations } from "@localstreet/bus/revocations";
import { openSubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog } from "@localstreet/bus/subject-log";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { openPool } from "@localstreet/db/pool";
import { openConnectionLeases } from "@localstreet/service-kit/connection-leases";
import { natsOptions, registerNatsMetrics } from "@localstreet/service-kit/nats";
import { openRedis } from "@localstreet/service-kit/redis";
import { limitRequests, openingsRate } from "@localstreet/service-kit/request-limits";
import type { App, ServiceKit } from "@localstreet/service-kit/service";
import { openSharedRates } from "@localstreet/service-kit/shared-rate";
import type { NotificationConfig } from "./config.ts";
import { registerDashboardRoutes } from "./dashboard/dashboard-routes.ts";
import { openDashboards } from "./dashboard/dashboards.ts";
import { limitOpenings } from "./limit-openings.ts";
import { startOpsWebhook } from "./ops/ops-webhook.ts";
import { registerAckRoute } from "./orders/ack-route.ts";
import { registerBatchRoute } from "./orders/batch-route.ts";
import { openDevices } from "./orders/devices.ts";
import { createOrderLookup } from "./orders/order-lookup.ts";
import { registerOrderRoute } from "./orders/order-route.ts";
import { registerOrdersRoutes } from "./orders/orders-route.ts";
import { createPlaceOrder } from "./orders/place-order.ts";
import { registerStatusRoute } from "./orders/status-route.ts";
import { startOrderRecord } from "./record/order-record.ts";
import { registerSessionRoutes } from "./session-route.ts";
import { registerFeedMetrics } from "./stream/feed-metrics.ts";
import { createFollowers } from "./stream/follower.ts";
import { registerListRoute } from "./stream/list-route.ts";
import { registerLogMetrics } from "./stream/log-metrics.ts";
import { openStreams } from "./stream/open-streams.ts";
import { registerStreamRoutes } from "./stream/stream-route.ts";
import { createVendorFrames } from "./stream/vendor-frames.ts";

export async function buildApp(kit: ServiceKit<NotificationConfig>): Promise<App> {
  const { config, logger } = kit;
  kit.takeQueryAt(
    "/api/vendor/:vendorId/notifications/stream",
    "/api/vendor/:vendorId/activity/stream",
    "/api/vendor/:vendorId/notifications",
    "/api/vendor/:vendorId/orders",
  );
  const bus = await connectBus({
    ...natsOptions(kit),
    maxPublishesInFlight: config.PUBLISHES_IN_FLIGHT,
  });
  registerNatsMetrics(kit, bus);
  const revocations = await openRevocations(bus);
  kit.authenticator.refuseRevoked(revocations);
  // Histories come over a connection of their own: live events do not wait behind them.
  const bulk = await connectBus({ ...natsOptions(kit), name: `${kit.replica}-history` });
  const log = await openSubjectLog(bus, VENDOR_STREAM, bulk);
  const feed = openSubjectFeed({
    bus,
    log,
    logger,
    tailCheckMs: config.TAIL_CHECK_MS,
    recent: {
      events: config.RING_EVENTS,
      bytes: config.RING_BYTES,
      totalBytes: config.RING_TOTAL_BYTES,
      keepMs: config.RING_KEEP_MS,
    },
  });
  const frames = createVendorFrames(kit);
  const followers = createFollowers({
    ...{ log, feed, frames },
    atOnce: config.REPLAYS_AT_ONCE,
    patienceMs: config.REPLAY_PATIENCE_MS,
  });
  const redis = await openRedis(kit);
  const leases = openConnectionLeases({
    redis,
    service: "notification-sse",
    leaseMs: config.LEASE_MS,
    refreshMs: config.LEASE_REFRESH_MS,
    logger,
    metrics: kit.metrics,
  });
  const rates = openSharedRates({
    redis,
    service: "notification-sse",
    waitMs: config.RATE_WAIT_MS,
    logger,
    metrics: kit.metrics,
  });
  limitRequests(kit, rates);
  const streams = limitOpenings(openStreams(kit, leases), openingsRate(config, rates));
  const devices = openDevices({
    leases,
    timeoutMs: config.DEVICES_MS,
    cacheMs: config.DEVICES_CACHE_MS,
  });
  const pool = openPool({
    url: config.DATABASE_URL,
    name: kit.replica,
    max: config.POSTGRES_CONNECTIONS,
    connectTimeoutMs: config.POSTGRES_CONNECT_MS,
    statementTimeoutMs: config.POSTGRES_STATEMENT_MS,
    onIdleError: (error) => logger.warn({ err: error }, "a connection to Postgres broke"),
  });
  const dashboards = openDashboards(kit, { bus, pool, devices });
  const lookUp = createOrderLookup({ pool, log, logger, timeoutMs: config.ORDER_LOOKUP_MS });
  const placeOrder = createPlaceOrder(kit, { bus, feed });
  const orderRecord = startOrderRecord(kit, { bus, bulk, log, devices });
  const opsWebhook = startOpsWebhook(kit, bus);
  registerFeedMetrics(kit, feed);
  const logMetrics = registerLogMetrics(kit, log);
  registerSessionRoutes(kit, revocations);
  registerOrderRoute(kit, { placeOrder, devices });
  registerBatchRoute(kit, { placeOrder, devices });
  registerAckRoute(kit, { bus, feed, lookUp });
  registerStatusRoute(kit, { bus, feed, lookUp });
  registerOrdersRoutes(kit, { pool, log });
  registerDashboardRoutes(kit, { dashboards, pool, rates });
  const longPolls = registerListRoute(kit, { followers, feed, devices, leases });
  registerStreamRoutes(kit, { followers, dashboards, streams, devices });

  return {
    async drain(windowMs) {
      longPolls.end();
      await Promise.all([streams.drain(windowMs), orderRecord.stop()]);
    },
    async close() {
      streams.close();
      logMetrics.close();
      feed.close();
      revocations.close();
      dashboards.close();
      await opsWebhook.close();
      await orderRecord.close();
      await leases.close();
      redis.disconnect();
      await Promise.all([bus.close(), bulk.close()]);
      await pool.end();
    },
  };
}

import { connectBus } from "@localstreet/bus/connection";
import { openRevocations } from "@localstreet/bus/revocations";
import { natsOptions, registerNatsMetrics } from "@localstreet/service-kit/nats";
import { openRedis } from "@localstreet/service-kit/redis";
import type { App, ServiceKit } from "@localstreet/service-kit/service";
import type { TrackingIngestConfig } from "./config.ts";
import { registerLocationRoute } from "./location-route.ts";
import { openPositionStore } from "./position-store.ts";

export async function buildApp(kit: ServiceKit<TrackingIngestConfig>): Promise<App> {
  const { config } = kit;
  const redis = await openRedis(kit);
  const bus = await connectBus(natsOptions(kit));
  registerNatsMetrics(kit, bus);
  const revocations = await openRevocations(bus);
  kit.authenticator.refuseRevoked(revocations);
  const rate = { perSecond: config.FIXES_PER_SECOND, burst: config.FIXES_BURST };
  const unknownDriverMs = config.UNKNOWN_DRIVER_MS;
  const positions = openPositionStore(redis, { unknownDriverMs, rate });
  registerLocationRoute(kit, { positions, rate, bus });

  return {
    // Requests are short, and those under way are finished by the server itself.
    async drain() {},
    async close() {
      revocations.close();
      await bus.close();
      redis.disconnect();
    },
  };
}

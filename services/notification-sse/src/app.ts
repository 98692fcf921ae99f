import { connectBus } from "@localstreet/bus/connection";
import { openSubjectFeed } from "@localstreet/bus/subject-feed";
import { openSubjectLog } from "@localstreet/bus/subject-log";
import { VENDOR_STREAM } from "@localstreet/contracts/subjects";
import { natsOptions, registerNatsMetrics } from "@localstreet/service-kit/nats";
import type { App, ServiceKit } from "@localstreet/service-kit/service";
import { openChatActivity } from "./chat-activity.ts";
import type { NotificationConfig } from "./config.ts";
import { registerFeedMetrics } from "./feed-metrics.ts";
import { openStreams } from "./open-streams.ts";
import { registerOrderRoute } from "./order-route.ts";
import { registerSessionRoutes } from "./session-route.ts";
import { registerStreamRoutes } from "./stream-route.ts";
import { createVendorFrames } from "./vendor-frames.ts";

export async function buildApp(kit: ServiceKit<NotificationConfig>): Promise<App> {
  const { config, logger } = kit;
  const bus = await connectBus(natsOptions(kit));
  registerNatsMetrics(kit, bus);
  const log = await openSubjectLog(bus, VENDOR_STREAM);
  const feed = openSubjectFeed({ bus, log, logger, tailCheckMs: config.TAIL_CHECK_MS });
  const frames = createVendorFrames(kit, log);
  const chatActivity = openChatActivity(kit, bus);
  const streams = openStreams(kit);
  registerFeedMetrics(kit, feed);
  registerSessionRoutes(kit);
  registerOrderRoute(kit, { bus, feed });
  registerStreamRoutes(kit, { log, feed, frames, chatActivity, streams });

  return {
    drain: (windowMs) => streams.drain(windowMs),
    async close() {
      streams.close();
      feed.close();
      await bus.close();
    },
  };
}

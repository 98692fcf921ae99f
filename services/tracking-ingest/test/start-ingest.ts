import { readConfig } from "@localstreet/service-kit/config";
import { type RunningService, startService } from "@localstreet/service-kit/service";
import type { startTestStores } from "@localstreet/testkit/stores";
import { TEST_SECRET } from "@localstreet/testkit/tokens";
import { buildApp } from "../src/app.ts";
import { trackingIngestConfigSchema } from "../src/config.ts";

export type Stores = Awaited<ReturnType<typeof startTestStores<{ nats: true; redis: true }>>>;

/** The real service on free ports, with its own users in the stores and a rate that tests do not reach by chance. */
export async function startIngest(
  stores: Stores,
  replica: string,
  env: Record<string, string> = {},
): Promise<RunningService> {
  const nats = stores.nats.as("tracking-ingest");
  const config = readConfig(trackingIngestConfigSchema, {
    PORT: "0",
    ADMIN_PORT: "0",
    REPLICA_NAME: replica,
    LOG_LEVEL: "silent",
    DRAIN_MS: "0",
    AUTH_JWT_SECRET: TEST_SECRET,
    NATS_URL: nats.servers.join(","),
    NATS_USER: nats.user,
    NATS_PASSWORD: nats.password,
    REDIS_URL: stores.redis.url("tracking-ingest"),
    FIXES_PER_SECOND: "1000",
    FIXES_BURST: "1000",
    ...env,
  });
  return await startService({ name: "tracking-ingest", config, buildApp });
}

import { LIMITS } from "@localstreet/contracts/limits";
import { commonEnv, countEnv, natsEnv, redisEnv, socketEnv } from "@localstreet/service-kit/config";
import { z } from "zod";

export const trackingFanoutConfigSchema = z.object({
  ...commonEnv,
  ...natsEnv,
  ...redisEnv,
  ...socketEnv,
  WATCHES_PER_CONNECTION: countEnv(LIMITS.watchesPerConnection),
  /** How often watch flags are renewed and positions compared with Redis, in milliseconds. The flags live 15 s. */
  WATCH_REFRESH_MS: countEnv(5_000),
});

export type TrackingFanoutConfig = z.infer<typeof trackingFanoutConfigSchema>;

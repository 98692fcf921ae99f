import { WATCHED_TTL_SECONDS } from "@localstreet/contracts/keys";
import { LIMITS } from "@localstreet/contracts/limits";
import {
  commonEnv,
  countEnv,
  millisecondsEnv,
  natsEnv,
  redisEnv,
} from "@localstreet/service-kit/config";
import { z } from "zod";

export const trackingIngestConfigSchema = z.object({
  ...commonEnv,
  ...natsEnv,
  ...redisEnv,
  FIXES_PER_SECOND: countEnv(LIMITS.fixesPerSecond),
  /** How many fixes of one driver may come at once after a pause. */
  FIXES_BURST: countEnv(LIMITS.fixesPerSecond * 2),
  /** For how many drivers this replica remembers the previous fix. */
  PREVIOUS_FIXES: countEnv(50_000),
  /**
   * How long every fix of a driver is published, watched or not, once Redis knew nothing of the driver. A watch flag
   * that vanished with the position is back within this time.
   */
  UNKNOWN_DRIVER_MS: millisecondsEnv(WATCHED_TTL_SECONDS * 1_000),
});

export type TrackingIngestConfig = z.infer<typeof trackingIngestConfigSchema>;

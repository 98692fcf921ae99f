import { timeZoneSchema } from "@localstreet/contracts/dashboard";
import { LIMITS } from "@localstreet/contracts/limits";
import {
  commonEnv,
  countEnv,
  millisecondsEnv,
  natsEnv,
  postgresEnv,
  redisEnv,
} from "@localstreet/service-kit/config";
import { z } from "zod";

export const notificationConfigSchema = z.object({
  ...commonEnv,
  ...natsEnv,
  ...redisEnv,
  ...postgresEnv,
  /** How often a quiet stream carries a comment, and a `ping` with its position (PROTOCOL.md S7), in milliseconds. */
  KEEPALIVE_MS: countEnv(LIMITS.keepaliveMs),
  STREAM_PING_MS: countEnv(LIMITS.streamPingMs),
  /** Unread bytes past which a stream is cut off (S9). */
  OUTBOX_BYTES: countEnv(LIMITS.outboxBytes),
  /** Each stream is told to come back after a time between the two when it breaks, in milliseconds. */
  RETRY_MIN_MS: millisecondsEnv(1_000),
  RETRY_MAX_MS: millisecondsEnv(4_000),
  /** How often the end of every followed vendor's log is compared with the leader's (S11), in milliseconds. */
  TAIL_CHECK_MS: countEnv(10_000),
  /** How often a vendor's summary is sent at most, and how often it is looked after anyway (S38), in milliseconds. */
  SUMMARY_EVERY_MS: countEnv(250),
  SUMMARY_REFRESH_MS: countEnv(5_000),
  /** Where the day of a vendor begins that has set no time zone (S40): an IANA name. */
  DEFAULT_TIME_ZONE: timeZoneSchema.default("UTC"),
  /** Lines of activity that are taken of one vendor on one replica (S42). */
  ACTIVITY_PER_SECOND: countEnv(20),
  ACTIVITY_BURST: countEnv(40),
  /** Connections to Postgres, how long one may take to open, and a statement to answer, in milliseconds. */
  POSTGRES_CONNECTIONS: countEnv(8),
  POSTGRES_CONNECT_MS: countEnv(2_000),
  POSTGRES_STATEMENT_MS: countEnv(3_000),
  /** Events on their way to the log; one more is answered 503 at once (S3). */
  PUBLISHES_IN_FLIGHT: countEnv(2_048),
  /** Largest body of a batch of orders (S19, E6). */
  BATCH_BYTES: countEnv(LIMITS.batchBytes),
  /** How long a count of a vendor's devices may take, and for how long it serves (S18), in milliseconds. */
  DEVICES_MS: countEnv(250),
  DEVICES_CACHE_MS: millisecondsEnv(1_000),
  /** How long the connections of a replica that is gone still count, and how often counts are told again. */
  LEASE_MS: countEnv(30_000),
  LEASE_REFRESH_MS: countEnv(10_000),
});

export type NotificationConfig = z.infer<typeof notificationConfigSchema>;

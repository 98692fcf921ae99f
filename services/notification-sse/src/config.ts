import { timeZoneSchema } from "@localstreet/contracts/dashboard";
import { LIMITS } from "@localstreet/contracts/limits";
import {
  commonEnv,
  connectionEnv,
  countEnv,
  millisecondsEnv,
  natsEnv,
  postgresEnv,
  redisEnv,
} from "@localstreet/service-kit/config";
import { z } from "zod";
import { parseWebhookSecret } from "./ops/webhook-signature.ts";

const webhookUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => !/^[^/]*\/\/[^/]*@/.test(url), "must hold no user and no password");
/** One secret, or several with commas while one takes the other's place. */
const webhookSecrets = z.string().transform((text, context) => {
  const keys = text.split(",").map((secret) => parseWebhookSecret(secret.trim()));
  if (!keys.includes(null)) return keys.filter((key) => key !== null);
  context.addIssue("must be whsec_ and 24 to 64 bytes in base64");
  return z.NEVER;
});

const settingsSchema = z.object({
  ...commonEnv,
  ...connectionEnv,
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
  /**
   * What is remembered of each vendor's events for those who come back (S16): events, bytes, bytes of all vendors together,
   * and for how long after its last stream has gone, in milliseconds.
   */
  RING_EVENTS: countEnv(512),
  RING_BYTES: countEnv(512 * 1024),
  RING_TOTAL_BYTES: countEnv(64 * 1024 * 1024),
  RING_KEEP_MS: millisecondsEnv(60_000),
  /** Replays that read from the log, or send a piece, at the same time; and for how long one waits for NATS (S16). */
  REPLAYS_AT_ONCE: countEnv(4),
  REPLAY_PATIENCE_MS: millisecondsEnv(30_000),
  /** Events that `?last=` brings at most (S14). */
  LAST_EVENTS: countEnv(100, 0),
  /** Events of one page of the list, and how long it waits for one (S15), in milliseconds; less than a gateway does. */
  LIST_EVENTS: countEnv(200),
  LIST_WAIT_MS: millisecondsEnv(25_000),
  /** How often a vendor's summary is sent at most, and how often it is looked after anyway (S38), in milliseconds. */
  SUMMARY_EVERY_MS: countEnv(250),
  SUMMARY_REFRESH_MS: countEnv(5_000),
  /** Where the day of a vendor begins that has set no time zone (S40): an IANA name. */
  DEFAULT_TIME_ZONE: timeZoneSchema.default("UTC"),
  /** Lines of activity that are taken of one vendor over all replicas (S42). */
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
  /** When an order that nobody answers is repeated, escalated, also for want of any device, and over (S31 to S33). */
  ORDER_REMIND_AFTER_MS: countEnv(30_000),
  ORDER_REMIND_EVERY_MS: countEnv(30_000),
  ORDER_ESCALATE_AFTER_MS: countEnv(120_000),
  ORDER_NOBODY_AFTER_MS: countEnv(10_000),
  ORDER_EXPIRE_AFTER_MS: countEnv(600_000),
  /** How often due orders are looked for, and how long a replica that died keeps the projection, in milliseconds. */
  ORDER_TICK_MS: countEnv(1_000),
  ORDER_LEASE_MS: countEnv(5_000),
  /** Events that are projected, and due orders that are taken, in one transaction. */
  ORDER_EVENTS_AT_ONCE: countEnv(100),
  /** How long events gather for the next transaction when the last one was not full, in milliseconds. */
  ORDER_GATHER_MS: millisecondsEnv(50),
  ORDER_DUE_AT_ONCE: countEnv(100),
  /** Events from one checkpoint to the next: of a log that went back so many are read again, and what was lost. */
  ORDER_CHECKPOINT_EVENTS: countEnv(1_000),
  /** How long decided orders are kept: longer than the log keeps their events. */
  ORDER_KEEP_DAYS: countEnv(90),
  /** How long an answer of a vendor waits to learn what is known of its order (S22), in milliseconds. */
  ORDER_LOOKUP_MS: countEnv(2_000),
  /** Orders of one list, and how long it waits for the record to be at the end of the log (S25), in milliseconds. */
  ORDERS_LISTED: countEnv(500),
  ORDERS_WAIT_MS: millisecondsEnv(2_000),
  /** Requests that wait for it on one replica; one more is answered with the record as it is. */
  ORDERS_WAITING: countEnv(500, 0),
  /** Where escalations are posted (S27), signed with the secret; nowhere without it. */
  OPS_WEBHOOK_URL: webhookUrl.optional(),
  OPS_WEBHOOK_SECRET: webhookSecrets.optional(),
  /** How long a delivery may take, in milliseconds, and how many one replica makes at the same time. */
  OPS_WEBHOOK_TIMEOUT_MS: countEnv(10_000),
  OPS_WEBHOOK_AT_ONCE: countEnv(4),
  /** The wait after a first delivery that failed, and the age at which an escalation is given up, in milliseconds. */
  OPS_WEBHOOK_RETRY_MS: countEnv(1_000),
  OPS_WEBHOOK_GIVE_UP_MS: countEnv(86_400_000),
});

export const notificationConfigSchema = settingsSchema.superRefine((config, context) => {
  const [url, secret] = ["OPS_WEBHOOK_URL", "OPS_WEBHOOK_SECRET"] as const;
  if ((config[url] === undefined) === (config[secret] === undefined)) return;
  const missing = config[url] === undefined ? url : secret;
  context.addIssue({ code: "custom", path: [missing], message: "is needed beside the other" });
});

export type NotificationConfig = z.infer<typeof notificationConfigSchema>;

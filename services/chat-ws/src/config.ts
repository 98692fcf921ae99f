import { LIMITS } from "@localstreet/contracts/limits";
import {
  commonEnv,
  countEnv,
  millisecondsEnv,
  natsEnv,
  postgresEnv,
  redisEnv,
  socketEnv,
} from "@localstreet/service-kit/config";
import { z } from "zod";

export const chatConfigSchema = z.object({
  ...commonEnv,
  ...natsEnv,
  ...redisEnv,
  ...postgresEnv,
  ...socketEnv,
  POSTGRES_CONNECTIONS: countEnv(8),
  POSTGRES_CONNECT_MS: countEnv(2_000),
  POSTGRES_STATEMENT_MS: countEnv(3_000),
  /** How long a message may wait for its commit. */
  COMMIT_MS: countEnv(LIMITS.storeTimeoutMs),
  /** Messages of one transaction at most. */
  COMMIT_BATCH: countEnv(200),
  /** Messages that wait for their transaction at most; one more is refused. */
  COMMIT_QUEUE: countEnv(5_000),
  MESSAGES_PER_SECOND: countEnv(LIMITS.chatMessagesPerSecond),
  MESSAGES_BURST: countEnv(LIMITS.chatMessagesBurst),
  /** Conversations that one buyer opens, over all replicas (C7). */
  CONVERSATIONS_PER_MINUTE: countEnv(LIMITS.conversationsPerMinute),
  CONVERSATIONS_BURST: countEnv(LIMITS.conversationsBurst),
  /** How long a message may wait for the one before it until the table is asked. */
  REORDER_MS: millisecondsEnv(50),
  /** How often the table is asked what moved. */
  CATCH_UP_MS: countEnv(1_000),
  /** How far back that looks beyond the time before: longer than a commit takes at the worst. */
  CATCH_UP_OVERLAP_MS: millisecondsEnv(30_000),
  /** Conversations of a list at most: the newest. */
  CONVERSATIONS_LISTED: countEnv(200),
});

export type ChatConfig = z.infer<typeof chatConfigSchema>;

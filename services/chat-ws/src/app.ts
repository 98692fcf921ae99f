import { connectBus } from "@localstreet/bus/connection";
import { openRevocations } from "@localstreet/bus/revocations";
import { liveChatSubject } from "@localstreet/contracts/subjects";
import { openChatStore } from "@localstreet/db/chat-store";
import { openPool } from "@localstreet/db/pool";
import { openConnectionLeases } from "@localstreet/service-kit/connection-leases";
import { natsOptions, registerNatsMetrics } from "@localstreet/service-kit/nats";
import { openRedis } from "@localstreet/service-kit/redis";
import { limitRequests, openingsRate } from "@localstreet/service-kit/request-limits";
import type { App, ServiceKit } from "@localstreet/service-kit/service";
import { openSharedRates } from "@localstreet/service-kit/shared-rate";
import { startCatchUp } from "./catch-up.ts";
import { openChatFeed } from "./chat-feed.ts";
import { registerChatMetrics } from "./chat-metrics.ts";
import type { ChatSignal } from "./chat-signal.ts";
import type { ChatConfig } from "./config.ts";
import { createGroupCommit } from "./group-commit.ts";
import { registerHistoryRoutes } from "./history-routes.ts";
import { createMembership } from "./membership.ts";
import { createSendMessage } from "./send-message.ts";
import { registerChatSocket } from "./socket-route.ts";

export async function buildApp(kit: ServiceKit<ChatConfig>): Promise<App> {
  const { config, logger } = kit;
  kit.takeQueryAt("/api/chat/conversations/:conversationId/messages");
  const pool = openPool({
    url: config.DATABASE_URL,
    name: kit.replica,
    max: config.POSTGRES_CONNECTIONS,
    connectTimeoutMs: config.POSTGRES_CONNECT_MS,
    statementTimeoutMs: config.POSTGRES_STATEMENT_MS,
    onIdleError: (error) => logger.warn({ err: error }, "a connection to Postgres broke"),
  });
  const store = openChatStore(pool);
  const redis = await openRedis(kit);
  const leases = openConnectionLeases({
    redis,
    service: "chat-ws",
    leaseMs: config.LEASE_MS,
    refreshMs: config.LEASE_REFRESH_MS,
    logger,
    metrics: kit.metrics,
  });
  const rates = openSharedRates({
    redis,
    service: "chat-ws",
    waitMs: config.RATE_WAIT_MS,
    logger,
    metrics: kit.metrics,
  });
  limitRequests(kit, rates);
  const bus = await connectBus(natsOptions(kit));
  registerNatsMetrics(kit, bus);
  const revocations = await openRevocations(bus);
  kit.authenticator.refuseRevoked(revocations);
  const feed = openChatFeed({
    bus,
    store,
    reorderMs: config.REORDER_MS,
    overlapMs: config.CATCH_UP_OVERLAP_MS,
    logger,
  });
  const catchUp = await startCatchUp({
    everyMs: config.CATCH_UP_MS,
    catchUp: feed.catchUp,
    logger,
  });
  bus.onReconnect(catchUp.now);
  const conversationsRate = rates.open("conversations", {
    perSecond: config.CONVERSATIONS_PER_MINUTE / 60,
    burst: config.CONVERSATIONS_BURST,
  });
  const membership = createMembership(store, conversationsRate);
  const metrics = registerChatMetrics(kit, feed);
  const groupCommit = createGroupCommit({
    store,
    batchSize: config.COMMIT_BATCH,
    queueSize: config.COMMIT_QUEUE,
    timeoutMs: config.COMMIT_MS,
    onBatch: metrics.onBatch,
    onStored(message, { sides: { buyerId, vendorId }, sessionId }) {
      if (sessionId !== null) feed.noteOrigin(message.messageId, sessionId);
      const signal: ChatSignal = { origin: sessionId, buyerId, vendorId, message };
      const payload = JSON.stringify(signal);
      // Dropped while the bus is away: the catch-up of every replica finds the message in the table.
      bus.publishSignal(liveChatSubject({ kind: "buyer", buyerId }), payload);
      bus.publishSignal(liveChatSubject({ kind: "vendor", vendorId }), payload);
    },
  });
  const sendMessage = createSendMessage({
    rate: rates.open("messages", {
      perSecond: config.MESSAGES_PER_SECOND,
      burst: config.MESSAGES_BURST,
    }),
    membership,
    groupCommit,
  });
  registerHistoryRoutes(kit, { store, membership, sendMessage, conversationsRate });
  const openings = openingsRate(config, rates);
  const socketRoute = await registerChatSocket(kit, { feed, leases, openings, sendMessage });

  return {
    async drain(windowMs) {
      await socketRoute.drain(windowMs);
      await groupCommit.idle();
    },
    async close() {
      socketRoute.close();
      catchUp.stop();
      feed.close();
      revocations.close();
      await leases.close();
      redis.disconnect();
      await bus.close();
      await pool.end();
    },
  };
}

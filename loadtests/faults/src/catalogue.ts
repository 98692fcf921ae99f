import type { Fault } from "./fault.ts";
import { commitWithoutPublish } from "./faults/commit-without-publish.ts";
import { gatewayReload } from "./faults/gateway-reload.ts";
import { ghostConnections } from "./faults/ghost-connections.ts";
import {
  halfOpenClients,
  halfOpenServers,
  partition,
  partitionOneWay,
} from "./faults/half-open.ts";
import { logRestored, streamDeleted, streamPurged } from "./faults/history-lost.ts";
import { killMidDeadline } from "./faults/kill-mid-deadline.ts";
import { killReplica } from "./faults/kill-replica.ts";
import { laggingFollower } from "./faults/lagging-follower.ts";
import { lostSignal, lostSignalReconnect } from "./faults/lost-signal.ts";
import { natsFrozen } from "./faults/nats-frozen.ts";
import { natsLeaderLost } from "./faults/nats-leader-lost.ts";
import { natsRestart } from "./faults/nats-restart.ts";
import { ordersUnderFire } from "./faults/orders-under-fire.ts";
import { postgresKilled, postgresLocked, postgresReadOnly } from "./faults/postgres.ts";
import { powerLoss } from "./faults/power-loss.ts";
import { reconnectStorm, rollingDeploy } from "./faults/reconnects.ts";
import { redisFlushed, redisKilled } from "./faults/redis.ts";
import { seam } from "./faults/seam.ts";
import { slowNetwork } from "./faults/slow-network.ts";
import { stuckReaders } from "./faults/stuck-readers.ts";

/** All faults, in the order in which `all` does them. */
export const FAULTS: readonly Fault[] = [
  killReplica,
  natsRestart,
  natsLeaderLost,
  natsFrozen,
  lostSignal,
  lostSignalReconnect,
  laggingFollower,
  logRestored,
  streamPurged,
  streamDeleted,
  redisKilled,
  redisFlushed,
  postgresKilled,
  postgresReadOnly,
  postgresLocked,
  commitWithoutPublish,
  killMidDeadline,
  ghostConnections,
  halfOpenClients,
  halfOpenServers,
  partition,
  partitionOneWay,
  slowNetwork,
  gatewayReload,
  rollingDeploy,
  reconnectStorm,
  stuckReaders,
  powerLoss,
  ordersUnderFire,
  seam,
];

/** Faults that only harm a chat. */
const CHAT_ONLY: readonly Fault[] = [postgresLocked, commitWithoutPublish];

/** Several faults by one name. */
export const GROUPS: Readonly<Record<string, readonly Fault[]>> = {
  all: FAULTS,
  orders: FAULTS.filter((fault) => !CHAT_ONLY.includes(fault)),
};

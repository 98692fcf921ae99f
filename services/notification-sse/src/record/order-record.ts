import { randomUUID } from "node:crypto";
import type { Bus } from "@localstreet/bus/connection";
import type { SubjectLog } from "@localstreet/bus/subject-log";
import type { OrderDeadlines } from "@localstreet/db/order-due";
import { openOrderProjection } from "@localstreet/db/order-projection";
import { pruneOrders } from "@localstreet/db/order-pruning";
import { openPool } from "@localstreet/db/pool";
import type { ServiceKit } from "@localstreet/service-kit/service";
import type { NotificationConfig } from "../config.ts";
import type { Devices } from "../orders/devices.ts";
import { startOrderDeadlines } from "./order-deadlines.ts";
import { startOrderProjection } from "./order-projection.ts";
import { registerProjectionMetrics } from "./projection-metrics.ts";
import { startRepeatedTask } from "./repeated-task.ts";

export interface OrderRecord {
  /** Hands over to the other replicas. */
  stop(): Promise<void>;
  /** Stops and lets go of Postgres. */
  close(): Promise<void>;
}

const PRUNE_EVERY_MS = 600_000;
const PRUNED_AT_ONCE = 1_000;

/**
 * The orders' record in Postgres: projected from the log, with their deadlines, and without the old ones. No request waits
 * for any of it.
 *
 * @param options.bulk the connection for what is long.
 */
export function startOrderRecord(
  kit: ServiceKit<NotificationConfig>,
  options: { bus: Bus; bulk: Bus; log: SubjectLog; devices: Pick<Devices, "count"> },
): OrderRecord {
  const { config, logger } = kit;
  const { bus, bulk, log, devices } = options;
  const deadlines: OrderDeadlines = {
    remindAfterMs: config.ORDER_REMIND_AFTER_MS,
    remindEveryMs: config.ORDER_REMIND_EVERY_MS,
    escalateAfterMs: config.ORDER_ESCALATE_AFTER_MS,
    nobodyAfterMs: config.ORDER_NOBODY_AFTER_MS,
    expireAfterMs: config.ORDER_EXPIRE_AFTER_MS,
  };
  // Connections of its own, one for each task below: reads of people must not keep a deadline waiting.
  const pool = openPool({
    url: config.DATABASE_URL,
    name: `${kit.replica} record`,
    max: 3,
    connectTimeoutMs: config.POSTGRES_CONNECT_MS,
    statementTimeoutMs: config.POSTGRES_STATEMENT_MS,
    onIdleError: (error) => logger.warn({ err: error }, "a connection to Postgres broke"),
  });
  const tasks = [
    startOrderProjection({
      ...{ bus: bulk, log, deadlines, logger },
      store: openOrderProjection(pool),
      holder: `${kit.replica} ${randomUUID()}`,
      settings: {
        tickMs: config.ORDER_TICK_MS,
        leaseMs: config.ORDER_LEASE_MS,
        eventsAtOnce: config.ORDER_EVENTS_AT_ONCE,
        gatherMs: config.ORDER_GATHER_MS,
        checkpointEvents: config.ORDER_CHECKPOINT_EVENTS,
      },
      metrics: registerProjectionMetrics(kit),
    }),
    startOrderDeadlines(kit, { bus, pool, log, deadlines, devices: devices.count }),
    startRepeatedTask({
      what: "the removal of old orders",
      everyMs: PRUNE_EVERY_MS,
      logger,
      async run({ signal }) {
        const options = { keepDays: config.ORDER_KEEP_DAYS, limit: PRUNED_AT_ONCE };
        while (!signal.aborted && (await pruneOrders(pool, options)) === PRUNED_AT_ONCE);
      },
    }),
  ];
  let stopping: Promise<void> | undefined;

  async function stop(): Promise<void> {
    stopping ??= Promise.all(tasks.map((task) => task.stop())).then(() => {});
    await stopping;
  }
  return {
    stop,
    async close() {
      await stop();
      await pool.end();
    },
  };
}

import { type ActivityLog, openActivityLog } from "@localstreet/bus/activity-log";
import type { Bus } from "@localstreet/bus/connection";
import { openDeliveriesUnderWay } from "@localstreet/bus/deliveries-under-way";
import type { VendorId } from "@localstreet/contracts/ids";
import type { Pool } from "@localstreet/db/pool";
import type { SseConnection } from "@localstreet/fanout/sse-connection";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { Counter, Gauge } from "prom-client";
import type { NotificationConfig } from "../config.ts";
import type { Devices } from "../orders/devices.ts";
import { openActivityFeed } from "./activity-feed.ts";
import { openSummaries } from "./summaries.ts";

/** What a dashboard's stream brings beside the events: `summary` and `activity` (PROTOCOL.md S12, S38 to S43). */
export interface Dashboards {
  readonly activityLog: ActivityLog;
  /** Listens for a connection until it closes. */
  open(vendorId: VendorId, connection: SseConnection): Dashboard;
  /** Something that its summary shows has changed. */
  noteChange(vendorId: VendorId): void;
  close(): void;
}

export interface Dashboard {
  /** Sends both from now on: the events up to this sequence are out. */
  begin(headSequence: number): void;
  /** It has got this event: the figures follow. */
  noteEvent(sequence: number): void;
}

export function openDashboards(
  kit: ServiceKit<NotificationConfig>,
  parts: { bus: Bus; pool: Pool; devices: Devices },
): Dashboards {
  const { config, logger, metrics } = kit;
  const { bus, pool, devices } = parts;
  const activityLog = openActivityLog(bus);
  const deliveries = openDeliveriesUnderWay({
    bus,
    onChange(deliveryId, delivery) {
      activity.tellDelivery(deliveryId, delivery);
      summaries.noteChange(delivery.vendorId);
    },
  });
  const summaries = openSummaries({
    pool,
    logger,
    everyMs: config.SUMMARY_EVERY_MS,
    refreshMs: config.SUMMARY_REFRESH_MS,
    defaultTimeZone: config.DEFAULT_TIME_ZONE,
    deliveriesUnderWay: deliveries.countOf,
    devicesOnline: devices.count,
  });
  const activity = openActivityFeed({
    bus,
    log: activityLog,
    logger,
    onChat: summaries.noteChange,
  });
  let openCount = 0;
  new Gauge({
    name: "localstreet_dashboards_open",
    help: "Streams that bring a summary and activity as well",
    registers: [metrics],
    collect() {
      this.set(openCount);
    },
  });
  new Counter({
    name: "localstreet_summaries_total",
    help: "Summaries computed: stale ones without Postgres",
    labelNames: ["outcome"],
    registers: [metrics],
    collect() {
      this.reset();
      this.inc({ outcome: "fresh" }, summaries.computed.fresh);
      this.inc({ outcome: "stale" }, summaries.computed.stale);
    },
  });

  return {
    activityLog,
    open(vendorId, connection) {
      openCount += 1;
      const lines = activity.follow(vendorId, (slotName, frame) =>
        connection.sendLatest(slotName, frame),
      );
      connection.onClosed(() => {
        openCount -= 1;
        lines.stop();
      });
      return {
        begin(headSequence) {
          connection.onClosed(
            summaries.follow(vendorId, (frame) => connection.sendLatest("summary", frame)),
          );
          summaries.noteEvent(vendorId, headSequence);
          lines.begin();
        },
        noteEvent: (sequence) => summaries.noteEvent(vendorId, sequence),
      };
    },
    noteChange: summaries.noteChange,
    close() {
      activity.close();
      summaries.close();
      deliveries.close();
    },
  };
}

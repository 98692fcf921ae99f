import { Counter, Gauge } from "prom-client";
import type { CommonConfig, NatsConfig } from "./config.ts";
import type { Logger } from "./logger.ts";
import type { ServiceKit } from "./service.ts";

/** How a service connects to NATS: as itself, under its replica's name. */
export function natsOptions({ config, replica, logger }: ServiceKit<CommonConfig & NatsConfig>): {
  servers: string[];
  user: string;
  password: string;
  name: string;
  logger: Logger;
} {
  return {
    servers: config.NATS_URL,
    user: config.NATS_USER,
    password: config.NATS_PASSWORD,
    name: replica,
    logger,
  };
}

/** Metrics of a connection to NATS, read when they are asked for. */
export function registerNatsMetrics(
  { metrics }: ServiceKit,
  connection: {
    isConnected(): boolean;
    stats(): {
      messagesReceived: number;
      signalsSent: number;
      signalsDroppedOffline: number;
      signalsDroppedPending: number;
    };
  },
): void {
  const registers = [metrics];
  new Gauge({
    name: "localstreet_bus_connected",
    help: "1 while NATS is connected",
    registers,
    collect() {
      this.set(connection.isConnected() ? 1 : 0);
    },
  });
  const counters = {
    localstreet_bus_messages_received_total: ["Messages that came from NATS", "messagesReceived"],
    localstreet_bus_signals_sent_total: ["Live signals published", "signalsSent"],
    localstreet_bus_signals_dropped_offline_total: [
      "Live signals dropped because NATS was away",
      "signalsDroppedOffline",
    ],
    localstreet_bus_signals_dropped_pending_total: [
      "Live signals dropped because NATS did not keep up",
      "signalsDroppedPending",
    ],
  } as const;
  for (const [name, [help, stat]] of Object.entries(counters)) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(connection.stats()[stat]);
      },
    });
  }
}

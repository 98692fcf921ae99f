import {
  type ConnectionOptions,
  connect,
  InvalidArgumentError,
  type NatsConnection,
} from "@nats-io/transport-node";
import { createBackoff } from "./backoff.ts";
import type { BusLogger } from "./connection.ts";

/**
 * Connects for the first time, trying for ever. The client could wait by itself, but it would not say why it waits.
 *
 * @throws when an option is malformed.
 */
export async function firstConnection(
  logger: BusLogger,
  options: ConnectionOptions,
): Promise<NatsConnection> {
  const backoff = createBackoff(250, 2_000);
  let lastMessage = "";
  while (true) {
    try {
      return await connect(options);
    } catch (error) {
      if (error instanceof InvalidArgumentError) throw error;
      const { message } = error as Error;
      if (message !== lastMessage) {
        logger.warn(
          { err: error, servers: options.servers },
          "NATS: waiting for a first connection",
        );
      }
      lastMessage = message;
      await backoff.wait();
    }
  }
}

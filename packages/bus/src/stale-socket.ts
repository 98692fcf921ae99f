import type { NatsConnection } from "@nats-io/transport-node";

/**
 * Cuts the socket of a server that answers no pings. The client's own disconnect first waits for the socket to take what
 * is pending, which a frozen server never does, so without this it would wait as long as TCP does.
 */
export function destroySocket(nats: NatsConnection): void {
  const { protocol } = nats as unknown as {
    protocol?: { transport?: { socket?: { destroy?(): void } } };
  };
  protocol?.transport?.socket?.destroy?.();
}

import type { NatsConnection } from "@nats-io/transport-node";

/** `PUB `, sizes and line ends. */
const PROTOCOL_BYTES = 24;

/**
 * Publishes signals and knows how many bytes of them may still be on this side. The client buffers without a bound and
 * does not say how much, so after every `confirmEvery` bytes one flush is sent along, never two at a time: what was
 * published before it has arrived when it is answered.
 */
export function createOutboundGauge(nats: NatsConnection, maxPendingBytes: number) {
  const confirmEvery = Math.min(64 * 1024, Math.ceil(maxPendingBytes / 4));
  let publishedBytes = 0;
  let confirmedBytes = 0;
  let confirming = false;
  let signalsSent = 0;
  let signalsDroppedOffline = 0;
  let signalsDroppedPending = 0;

  function confirm(): void {
    if (confirming) return;
    confirming = true;
    const upTo = publishedBytes;
    nats.flush().then(
      () => {
        confirmedBytes = Math.max(confirmedBytes, upTo);
        confirming = false;
      },
      () => {
        confirming = false;
      },
    );
  }

  return {
    publish(connected: boolean, subject: string, payload: Uint8Array | string): "sent" | "dropped" {
      if (!connected) {
        signalsDroppedOffline++;
        return "dropped";
      }
      const data = typeof payload === "string" ? Buffer.from(payload) : payload;
      const bytes = data.length + subject.length + PROTOCOL_BYTES;
      if (publishedBytes - confirmedBytes + bytes > maxPendingBytes) {
        signalsDroppedPending++;
        confirm();
        return "dropped";
      }
      nats.publish(subject, data);
      signalsSent++;
      publishedBytes += bytes;
      if (publishedBytes - confirmedBytes >= confirmEvery) confirm();
      return "sent";
    },
    /** The connection came or went: what was pending is gone. */
    reset(): void {
      confirmedBytes = publishedBytes;
    },
    stats: () => ({
      signalsSent,
      signalsDroppedOffline,
      signalsDroppedPending,
      pendingBytes: publishedBytes - confirmedBytes,
    }),
  };
}

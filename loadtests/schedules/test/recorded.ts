import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";

/** A message as it came, header block and all. */
export interface SeenMessage {
  readonly subject: string;
  readonly reply: string;
  readonly block: string;
  readonly data: string;
}

export function seenMessage(message: Msg): SeenMessage {
  const { _msg, _rdata } = message as unknown as { _msg: { hdr: number }; _rdata: Uint8Array };
  const length = Math.max(0, _msg.hdr);
  const bytes = Buffer.from(_rdata.buffer, _rdata.byteOffset, _rdata.byteLength);
  return {
    subject: message.subject,
    reply: message.reply ?? "",
    block: bytes.subarray(0, length).toString(),
    data: bytes.subarray(length).toString(),
  };
}

/** A connection that tells of every message that it hands to a subscription. */
export function recorded(
  nats: NatsConnection,
  onMessage: (subscribed: string, message: SeenMessage) => void,
): NatsConnection {
  const subscribe: NatsConnection["subscribe"] = (subject, options = {}) => {
    const { callback } = options;
    if (!callback) return nats.subscribe(subject, options);
    return nats.subscribe(subject, {
      ...options,
      callback(error, message) {
        if (!error) onMessage(subject, seenMessage(message));
        return callback(error, message);
      },
    }) as Subscription;
  };
  return new Proxy(nats, {
    get(target, name) {
      if (name === "subscribe") return subscribe;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

import { DELIVERIES_BUCKET, VENDOR_STREAM } from "./subjects.ts";

/** The users that the stores know: one for each service, one for a backend that publishes straight to the bus. */
export const STORE_USERS = [
  "notification-sse",
  "chat-ws",
  "tracking-ingest",
  "tracking-fanout",
  "publisher",
] as const;
export type StoreUser = (typeof STORE_USERS)[number];

/** The inbox of a user's requests: its own, so that no service reads another's replies. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${user}`;
}

export interface NatsGrant {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const readVendorLog = [
  `$JS.API.STREAM.INFO.${VENDOR_STREAM}`,
  `$JS.API.STREAM.MSG.GET.${VENDOR_STREAM}`,
  `$JS.API.DIRECT.GET.${VENDOR_STREAM}`,
];
const deliveriesStream = `KV_${DELIVERIES_BUCKET}`;

/** What each user may publish and subscribe to in NATS; everything else is refused by the server. */
export const NATS_GRANTS: Record<StoreUser, NatsGrant> = {
  "notification-sse": {
    publish: ["vendor.*.orders", ...readVendorLog],
    subscribe: [
      "live.vendor.*.orders",
      "live.chat.vendor.*",
      `${inboxPrefix("notification-sse")}.>`,
    ],
  },
  "chat-ws": {
    publish: ["live.chat.buyer.*", "live.chat.vendor.*"],
    subscribe: ["live.chat.buyer.*", "live.chat.vendor.*", `${inboxPrefix("chat-ws")}.>`],
  },
  "tracking-ingest": {
    publish: ["live.tracking.*"],
    subscribe: [`${inboxPrefix("tracking-ingest")}.>`],
  },
  "tracking-fanout": {
    publish: [
      `$KV.${DELIVERIES_BUCKET}.*`,
      `$JS.API.STREAM.INFO.${deliveriesStream}`,
      `$JS.API.STREAM.MSG.GET.${deliveriesStream}`,
      // A watch of the bucket: an ordered push consumer, and its flow control.
      `$JS.API.CONSUMER.CREATE.${deliveriesStream}.>`,
      `$JS.API.CONSUMER.DELETE.${deliveriesStream}.>`,
      `$JS.FC.${deliveriesStream}.>`,
    ],
    subscribe: ["live.tracking.*", `${inboxPrefix("tracking-fanout")}.>`],
  },
  publisher: {
    publish: [
      "vendor.*.orders",
      `$JS.API.STREAM.MSG.GET.${VENDOR_STREAM}`,
      `$JS.API.STREAM.INFO.${VENDOR_STREAM}`,
    ],
    subscribe: [`${inboxPrefix("publisher")}.>`],
  },
};

/** What a client does before its first command, and `INFO` to see whether Redis is still loading. */
const connectToRedis = ["+hello", "+auth", "+ping", "+info", "+client|setname"];

/**
 * Rules of a Redis 7 ACL user, without its password, on top of `-@all`. A user that is absent here has no access to
 * Redis at all. Parentheses are selectors: their commands on their keys only. A script may name any key of a driver, and
 * each command in it is checked on its own.
 */
export const REDIS_GRANTS: Partial<Record<StoreUser, readonly string[]>> = {
  "tracking-ingest": [
    ...connectToRedis,
    "(~track:{*}:position ~track:{*}:watched +eval +evalsha)",
    "(~track:{*}:position +hget +hmget +hset +pexpire +time)",
    "(%R~track:{*}:watched +exists)",
  ],
  "tracking-fanout": [
    ...connectToRedis,
    "(%R~track:{*}:position +hget)",
    "(%W~track:{*}:watched +set)",
  ],
};

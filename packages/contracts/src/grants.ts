import {
  ACTIVITY_STREAM,
  DELIVERIES_BUCKET,
  OPS_STREAM,
  REVOCATIONS_BUCKET,
  VENDOR_STREAM,
} from "./subjects.ts";

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

/** A consumer of one's own on a stream: made, fetched from, acknowledged, removed. */
function consume(stream: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
    `$JS.API.CONSUMER.DELETE.${stream}.>`,
    `$JS.ACK.${stream}.>`,
  ];
}

/** A watch of a whole bucket: an ordered push consumer, and its flow control; and reads from the leader. */
function watchBucket(bucket: string): string[] {
  const stream = `KV_${bucket}`;
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.DELETE.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ];
}

/** What each user may publish and subscribe to in NATS; everything else is refused by the server. */
export const NATS_GRANTS: Record<StoreUser, NatsGrant> = {
  "notification-sse": {
    publish: [
      "vendor.*.orders",
      ...readVendorLog,
      ...consume(VENDOR_STREAM),
      "ops.*.escalated",
      ...consume(OPS_STREAM),
      "activity.*",
      `$JS.API.STREAM.MSG.GET.${ACTIVITY_STREAM}`,
      `$JS.API.DIRECT.GET.${ACTIVITY_STREAM}`,
      ...consume(ACTIVITY_STREAM),
      ...watchBucket(DELIVERIES_BUCKET),
      `$KV.${REVOCATIONS_BUCKET}.*`,
      ...watchBucket(REVOCATIONS_BUCKET),
    ],
    subscribe: [
      "live.vendor.*.orders",
      "live.activity.*",
      "live.chat.vendor.*",
      `${inboxPrefix("notification-sse")}.>`,
    ],
  },
  "chat-ws": {
    publish: ["live.chat.buyer.*", "live.chat.vendor.*", ...watchBucket(REVOCATIONS_BUCKET)],
    subscribe: ["live.chat.buyer.*", "live.chat.vendor.*", `${inboxPrefix("chat-ws")}.>`],
  },
  "tracking-ingest": {
    publish: ["live.tracking.*", ...watchBucket(REVOCATIONS_BUCKET)],
    subscribe: [`${inboxPrefix("tracking-ingest")}.>`],
  },
  "tracking-fanout": {
    publish: [
      `$KV.${DELIVERIES_BUCKET}.*`,
      ...watchBucket(DELIVERIES_BUCKET),
      ...watchBucket(REVOCATIONS_BUCKET),
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

/** Counts of a service's own open connections, and the buckets of its rates, kept by scripts. */
function countConnections(service: StoreUser): string[] {
  return [
    `(~lease:${service}:* +eval +evalsha +hgetall +hset +hdel +pexpire +time +set +get)`,
    `(~rate:${service}:* +eval +evalsha +time +set +get)`,
  ];
}

/**
 * Rules of a Redis 7 ACL user, without its password, on top of `-@all`. A user that is absent here has no access to
 * Redis at all. Parentheses are selectors: their commands on their keys only. A script may name any key of a driver, and
 * each command in it is checked on its own.
 */
export const REDIS_GRANTS: Partial<Record<StoreUser, readonly string[]>> = {
  "notification-sse": [...connectToRedis, ...countConnections("notification-sse")],
  "chat-ws": [...connectToRedis, ...countConnections("chat-ws")],
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
    ...countConnections("tracking-fanout"),
  ],
};

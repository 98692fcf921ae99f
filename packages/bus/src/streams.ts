import { isDeepStrictEqual } from "node:util";
import {
  ACTIVITY_STREAM,
  ACTIVITY_STREAM_SUBJECTS,
  DELIVERIES_BUCKET,
  LIVE_PREFIX,
  OPS_STREAM,
  OPS_STREAM_SUBJECTS,
  REVOCATIONS_BUCKET,
  VENDOR_STREAM,
  VENDOR_STREAM_SUBJECTS,
} from "@localstreet/contracts/subjects";
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { type Bus, BusUnavailableError } from "./connection.ts";
import { epochOf, newEpochDescription } from "./epoch.ts";
import { internalsOf } from "./internals.ts";

export interface StreamSettings {
  /** Copies of each stream: 1, or 3 in a cluster of three or more. */
  readonly replicas?: number;
  /** How long a vendor's events can be replayed. */
  readonly vendorMaxAgeSeconds?: number;
  /** The log's size; when it is reached new events are refused, not old ones dropped. */
  readonly vendorMaxBytes?: number;
  /** How long the same `Nats-Msg-Id` is recognised; costs the server about 0.6 KB of memory for each id. */
  readonly duplicateWindowSeconds?: number;
  readonly deliveriesMaxAgeSeconds?: number;
  readonly deliveriesMaxBytes?: number;
  /** Longer than any token lives: a revocation is remembered until the last token that it concerns has ended. */
  readonly revocationsMaxAgeSeconds?: number;
  /** How long the dashboards' activity and the escalations are kept; the oldest go first past `bytes` too. */
  readonly activityMaxAgeSeconds?: number;
  readonly activityMaxBytes?: number;
  /** Lines of activity that are kept of each vendor: what a dashboard begins with. */
  readonly activityLinesPerVendor?: number;
  readonly opsMaxAgeSeconds?: number;
  readonly opsMaxBytes?: number;
}

const DAY_SECONDS = 24 * 3_600;

/**
 * Creates what is missing and updates what differs; nothing is ever recreated, and what is stored stays. May run at any
 * time and several times at once. Only the user `admin` may.
 *
 * @throws {BusUnavailableError} and the server's error when it refuses a change, as 2.9 does for `republish`.
 */
export async function ensureStreams(bus: Bus, settings: StreamSettings = {}): Promise<void> {
  const replicas = settings.replicas ?? 1;
  await ensureStream(bus, {
    name: VENDOR_STREAM,
    subjects: [VENDOR_STREAM_SUBJECTS],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: nanos(settings.vendorMaxAgeSeconds ?? 7 * DAY_SECONDS),
    max_bytes: settings.vendorMaxBytes ?? 4 * 1024 ** 3,
    duplicate_window: nanos(settings.duplicateWindowSeconds ?? 3_600),
    allow_direct: true,
    republish: { src: ">", dest: `${LIVE_PREFIX}.>` },
    num_replicas: replicas,
  });
  await ensureStream(bus, {
    name: ACTIVITY_STREAM,
    subjects: [ACTIVITY_STREAM_SUBJECTS],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: nanos(settings.activityMaxAgeSeconds ?? 7 * DAY_SECONDS),
    max_bytes: settings.activityMaxBytes ?? 512 * 1024 ** 2,
    max_msgs_per_subject: settings.activityLinesPerVendor ?? 50,
    allow_direct: true,
    republish: { src: ">", dest: `${LIVE_PREFIX}.>` },
    num_replicas: replicas,
  });
  await ensureStream(bus, {
    name: OPS_STREAM,
    subjects: [OPS_STREAM_SUBJECTS],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: nanos(settings.opsMaxAgeSeconds ?? 7 * DAY_SECONDS),
    max_bytes: settings.opsMaxBytes ?? 256 * 1024 ** 2,
    duplicate_window: nanos(settings.duplicateWindowSeconds ?? 3_600),
    num_replicas: replicas,
  });
  await ensureStream(
    bus,
    bucketStream(DELIVERIES_BUCKET, {
      maxAgeSeconds: settings.deliveriesMaxAgeSeconds ?? 30 * DAY_SECONDS,
      maxBytes: settings.deliveriesMaxBytes ?? 1024 ** 3,
      replicas,
    }),
  );
  await ensureStream(
    bus,
    bucketStream(REVOCATIONS_BUCKET, {
      maxAgeSeconds: settings.revocationsMaxAgeSeconds ?? 30 * DAY_SECONDS,
      maxBytes: 64 * 1024 ** 2,
      replicas,
    }),
  );
}

/** A key-value bucket with one value for each key. */
function bucketStream(
  bucket: string,
  limits: { maxAgeSeconds: number; maxBytes: number; replicas: number },
): WantedStream {
  return {
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    max_age: nanos(limits.maxAgeSeconds),
    max_bytes: limits.maxBytes,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    num_replicas: limits.replicas,
  };
}

type WantedStream = Partial<StreamConfig> & { name: string };

async function ensureStream(bus: Bus, wanted: WantedStream): Promise<void> {
  const { jsm, call, logger } = internalsOf(bus);
  const { name } = wanted;
  const read = () => call(`read stream ${name}`, () => jsm.streams.info(name));

  let info = await read().catch((error: unknown) => {
    if (isStreamNotFound(error)) return null;
    throw error;
  });
  if (!info) {
    const description = newEpochDescription();
    info = await call(`create stream ${name}`, () =>
      jsm.streams.add({ ...wanted, description }),
    ).catch((error: unknown) => {
      // Somebody else was first, with an epoch of their own.
      if (isNameInUse(error)) return read();
      throw error;
    });
    logger.info({ stream: name, description: info.config.description }, "stream created");
  }

  const current = info.config as unknown as Record<string, unknown>;
  const changes = Object.entries(wanted).filter(
    ([key, value]) => !isDeepStrictEqual(current[key], value),
  );
  if (!epochOf(info.config.description)) changes.push(["description", newEpochDescription()]);
  if (changes.length === 0) return;
  await call(`update stream ${name}`, () => jsm.streams.update(name, Object.fromEntries(changes)));
  logger.info({ stream: name, changed: changes.map(([key]) => key) }, "stream updated");
}

function isStreamNotFound(error: unknown): boolean {
  return (
    error instanceof BusUnavailableError &&
    error.cause instanceof Error &&
    error.cause.name === "StreamNotFoundError"
  );
}

function isNameInUse(error: unknown): boolean {
  return (error as { code?: unknown }).code === 10_058;
}

function nanos(seconds: number): number {
  return seconds * 1_000_000_000;
}

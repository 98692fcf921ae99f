import { isDeepStrictEqual } from "node:util";
import {
  DELIVERIES_BUCKET,
  LIVE_PREFIX,
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
}

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
    max_age: nanos(settings.vendorMaxAgeSeconds ?? 7 * 24 * 3_600),
    max_bytes: settings.vendorMaxBytes ?? 4 * 1024 ** 3,
    duplicate_window: nanos(settings.duplicateWindowSeconds ?? 3_600),
    allow_direct: true,
    republish: { src: ">", dest: `${LIVE_PREFIX}.>` },
    num_replicas: replicas,
  });
  await ensureStream(bus, {
    name: `KV_${DELIVERIES_BUCKET}`,
    subjects: [`$KV.${DELIVERIES_BUCKET}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    max_age: nanos(settings.deliveriesMaxAgeSeconds ?? 30 * 24 * 3_600),
    max_bytes: settings.deliveriesMaxBytes ?? 1024 ** 3,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    num_replicas: replicas,
  });
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

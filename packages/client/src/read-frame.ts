import type { ServerFrame } from "./socket-frames.ts";

/**
 * `unknown` is a type of a newer server, which is nobody's fault. `unreadable` names the type and the field that does not
 * fit, never the value: a report is no place for what people write. Both name the question that they answer, if any.
 */
export type ReadFrame =
  | { readonly kind: "frame"; readonly frame: ServerFrame }
  | { readonly kind: "unknown"; readonly ref: number | undefined }
  | { readonly kind: "unreadable"; readonly reason: string; readonly ref: number | undefined };

type Check = (value: unknown) => boolean;
type FrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;
/** A check for each field of `F`, so that a field that is added to a frame is not forgotten here. */
type Fields<F> = { readonly [K in Exclude<keyof F, "type" | "ref">]-?: Check };

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
/** `setTimeout` takes no more, and fires at once instead. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const text: Check = (value) => typeof value === "string";
const id: Check = (value) => typeof value === "string" && ID.test(value);
const time: Check = (value) =>
  typeof value === "string" && TIME.test(value) && !Number.isNaN(Date.parse(value));
const flag: Check = (value) => typeof value === "boolean";
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const within =
  (lowest: number, highest: number): Check =>
  (value) =>
    typeof value === "number" && value >= lowest && value <= highest;
const number = within(-Number.MAX_VALUE, Number.MAX_VALUE);
const oneOf =
  <const T extends readonly string[]>(...values: T): Check =>
  (value) =>
    values.includes(value as string);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const POSITION = {
  lat: within(-90, 90),
  lng: within(-180, 180),
  accuracy: orNull(number),
  heading: orNull(number),
  speed: orNull(number),
  recordedAt: time,
  timestamp: time,
};
const DRIVER: Fields<FrameOf<"watching">["driver"]> = {
  state: oneOf("live", "stale", "lost"),
  position: orNull((value) => isObject(value) && misfit(value, POSITION) === undefined),
  fixAt: orNull(time),
};
const deliveryStatus = oneOf("assigned", "picked_up", "arriving", "delivered", "cancelled");

const FRAMES: { readonly [T in ServerFrame["type"]]: Fields<FrameOf<T>> } = {
  authenticated: { userId: id, expiresAt: time, pingIntervalMs: within(1, LONGEST_TIMER_MS) },
  "token-expiring": { expiresAt: time },
  goaway: { code: count, reason: text, reconnect: flag, retryAfterMs: count },
  error: { code: text, message: text, retryable: flag, retryAfterMs: optional(count) },
  ack: {
    clientMessageId: id,
    conversationId: id,
    messageId: id,
    seq: count,
    createdAt: time,
    duplicate: flag,
  },
  message: {
    conversationId: id,
    messageId: id,
    seq: count,
    senderId: id,
    side: oneOf("buyer", "vendor", "system"),
    content: text,
    orderId: orNull(id),
    createdAt: time,
    clientMessageId: id,
  },
  watching: {
    deliveryId: id,
    status: deliveryStatus,
    driver: (value) => isObject(value) && misfit(value, DRIVER) === undefined,
  },
  unwatched: { deliveryId: id },
  "location-update": { deliveryId: id, ...POSITION },
  "delivery-updated": { deliveryId: id, status: deliveryStatus },
};

/** Reads what came over a socket. Fields that are not known are left as they are (PROTOCOL.md G3). */
export function readFrame(data: unknown): ReadFrame {
  const value = typeof data === "string" ? parseJson(data) : undefined;
  if (!isObject(value)) return { kind: "unreadable", reason: "no JSON object", ref: undefined };
  const ref = count(value.ref) ? (value.ref as number) : undefined;
  const { type } = value;
  if (typeof type !== "string") return { kind: "unreadable", reason: "no type", ref };
  if (!optional(count)(value.ref)) return { kind: "unreadable", reason: "ref", ref };
  if (!isKnown(type)) return { kind: "unknown", ref };
  const field = misfit(value, FRAMES[type]);
  if (field !== undefined) return { kind: "unreadable", reason: `${type}: ${field}`, ref };
  // Each field was looked at.
  return { kind: "frame", frame: value as unknown as ServerFrame };
}

function misfit(
  value: Record<string, unknown>,
  fields: Readonly<Record<string, Check>>,
): string | undefined {
  return Object.keys(fields).find((field) => !fields[field]?.(value[field]));
}

function isKnown(type: string): type is ServerFrame["type"] {
  return Object.hasOwn(FRAMES, type);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

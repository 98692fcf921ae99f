import type { ActivityLog, LoggedActivity } from "@localstreet/bus/activity-log";
import type { Bus } from "@localstreet/bus/connection";
import { chatMessageSchema } from "@localstreet/contracts/chat";
import type { ActivityEvent } from "@localstreet/contracts/dashboard";
import type { DeliveryId, VendorId } from "@localstreet/contracts/ids";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import { liveChatSubject } from "@localstreet/contracts/subjects";
import type { Delivery } from "@localstreet/contracts/tracking";
import type { Logger } from "@localstreet/service-kit/logger";
import { z } from "zod";

/** Frames of one slot replace each other where a reader is slow. */
type Send = (slotName: string, frame: Buffer) => void;

/** The lines of every vendor that somebody here looks at: encoded once, sent to all (PROTOCOL.md S12, S41). */
export interface ActivityFeed {
  /**
   * Listens to the vendor's lines from now on. `begin` sends the last posted lines, what has come since, and then each
   * line as it comes, until `stop`.
   */
  follow(vendorId: VendorId, send: Send): { begin(): void; stop(): void };
  tellDelivery(deliveryId: DeliveryId, delivery: Delivery): void;
  close(): void;
}

interface Follower {
  readonly send: Send;
  /** What came before it began; `null` since. */
  waiting: Buffer[] | null;
}

interface Followed {
  readonly followers: Set<Follower>;
  readonly unsubscribe: () => void;
  /** The last posted lines by their sequence. */
  posted: Map<number, Buffer>;
  /** They are all here, or are being read; `null` when some may have been missed. */
  reading: Promise<void> | null;
  lines: number;
}

/** Lines that a dashboard begins with, and that wait for a slow reader at most: then the oldest give way. */
const LINES = 50;
const SLOTS = Array.from({ length: LINES }, (_, index) => `activity-${index}`);
const TEXT_CHARACTERS = 120;
const signalSchema = z.object({ message: chatMessageSchema });

export function openActivityFeed(options: {
  bus: Bus;
  log: ActivityLog;
  logger: Logger;
  /** A conversation of the vendor has a new message. */
  onChat: (vendorId: VendorId) => void;
}): ActivityFeed {
  const { bus, log, logger } = options;
  const vendors = new Map<VendorId, Followed>();
  // What was posted meanwhile was not heard: it is read for whoever comes next.
  const stopListening = bus.onReconnect(() => {
    for (const followed of vendors.values()) followed.reading = null;
  });

  function open(vendorId: VendorId): Followed {
    const posts = log.follow(vendorId, (line) => onPosted(vendorId, line));
    const chats = bus.subscribe(liveChatSubject({ kind: "vendor", vendorId }), ({ data }) => {
      options.onChat(vendorId);
      const activity = parseChat(data);
      if (activity) tell(vendorId, encodeActivity(activity));
      else logger.warn({ vendorId }, "a chat signal was not understood");
    });
    return {
      followers: new Set(),
      unsubscribe() {
        posts.unsubscribe();
        chats.unsubscribe();
      },
      posted: new Map(),
      reading: null,
      lines: 0,
    };
  }

  function onPosted(vendorId: VendorId, { sequence, activity }: LoggedActivity): void {
    const followed = vendors.get(vendorId);
    if (!followed || followed.posted.has(sequence)) return;
    const frame = encodeActivity(activity);
    followed.posted.set(sequence, frame);
    if (followed.posted.size > LINES) keepNewest(followed);
    tell(vendorId, frame);
  }

  function keepNewest(followed: Followed): void {
    const inOrder = [...followed.posted].sort(([a], [b]) => a - b);
    followed.posted = new Map(inOrder.slice(-LINES));
  }

  function tell(vendorId: VendorId, frame: Buffer): void {
    const followed = vendors.get(vendorId);
    if (!followed) return;
    const slotName = nextSlot(followed);
    for (const { send, waiting } of followed.followers) {
      if (!waiting) send(slotName, frame);
      else if (waiting.push(frame) > LINES) waiting.shift();
    }
  }

  async function readPosted(vendorId: VendorId, followed: Followed): Promise<void> {
    try {
      await bus.flush();
      for (const { sequence, activity } of await log.read(vendorId)) {
        if (!followed.posted.has(sequence)) {
          followed.posted.set(sequence, encodeActivity(activity));
        }
      }
      keepNewest(followed);
    } catch (error) {
      // The live lines come all the same.
      logger.warn({ err: error, vendorId }, "the last lines of activity could not be read");
      followed.reading = null;
    }
  }

  async function begin(followed: Followed, follower: Follower): Promise<void> {
    await followed.reading;
    if (!followed.followers.has(follower)) return;
    // A line that was posted meanwhile is among the last ones already.
    const frames = new Set([...followed.posted.values(), ...(follower.waiting ?? [])]);
    follower.waiting = null;
    for (const frame of frames) follower.send(nextSlot(followed), frame);
  }

  return {
    follow(vendorId, send) {
      const known = vendors.get(vendorId);
      const followed = known ?? open(vendorId);
      if (!known) vendors.set(vendorId, followed);
      followed.reading ??= readPosted(vendorId, followed);
      const follower: Follower = { send, waiting: [] };
      followed.followers.add(follower);
      return {
        begin() {
          // Lines come at most once: this dashboard misses some, and no other does.
          begin(followed, follower).catch((error) =>
            logger.error({ err: error, vendorId }, "a dashboard misses lines of activity"),
          );
        },
        stop() {
          followed.followers.delete(follower);
          if (followed.followers.size > 0 || vendors.get(vendorId) !== followed) return;
          vendors.delete(vendorId);
          followed.unsubscribe();
        },
      };
    },
    tellDelivery(deliveryId, { vendorId, orderId, status }) {
      if (!vendors.has(vendorId)) return;
      const at = new Date().toISOString();
      tell(vendorId, encodeActivity({ kind: "delivery", at, deliveryId, orderId, status }));
    },
    close() {
      stopListening();
      for (const { unsubscribe } of vendors.values()) unsubscribe();
      vendors.clear();
    },
  };
}

function nextSlot(followed: Followed): string {
  followed.lines += 1;
  return SLOTS[followed.lines % LINES] as string;
}

function encodeActivity(activity: ActivityEvent): Buffer {
  return Buffer.from(encodeSseEvent({ event: "activity", data: JSON.stringify(activity) }));
}

function parseChat(data: Uint8Array): ActivityEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data).toString());
  } catch {
    return null;
  }
  const signal = signalSchema.safeParse(value);
  if (!signal.success) return null;
  const { conversationId, side, content, createdAt } = signal.data.message;
  const text = [...content].slice(0, TEXT_CHARACTERS).join("");
  return { kind: "chat", at: createdAt, conversationId, side, text };
}

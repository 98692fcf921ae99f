import { eventId } from "@localstreet/bus/log-position";
import type { Following, SubjectFeed } from "@localstreet/bus/subject-feed";
import type { StoredEvent } from "@localstreet/bus/subject-log";
import { REPLACED_ID } from "@localstreet/contracts/event-id";
import { vendorIdSchema } from "@localstreet/contracts/ids";
import { userConnections } from "@localstreet/contracts/keys";
import { Problem } from "@localstreet/contracts/problem";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import type { NotificationsPage } from "@localstreet/contracts/vendor-events";
import { requireVendor } from "@localstreet/service-kit/auth";
import type { ConnectionLeases } from "@localstreet/service-kit/connection-leases";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import { z } from "zod";
import type { NotificationConfig } from "../config.ts";
import type { Devices } from "../orders/devices.ts";
import type { Followers, History } from "./follower.ts";
import { idQuerySchema } from "./id-query.ts";

const paramsSchema = z.object({ vendorId: vendorIdSchema });
const querySchema = z.strictObject({
  after: idQuerySchema.optional(),
  last: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).default(100),
  /** Seconds. */
  wait: z.coerce.number().min(0).default(0),
});

export interface LongPolls {
  /** Answers all that wait: the replica shuts down. */
  end(): void;
}

/**
 * `GET /api/vendor/{vendorId}/notifications` (PROTOCOL.md S15): what the stream brings, as JSON, for networks that let no
 * stream through.
 */
export function registerListRoute(
  kit: ServiceKit<NotificationConfig>,
  parts: { followers: Followers; feed: SubjectFeed; devices: Devices; leases: ConnectionLeases },
): LongPolls {
  const { config, http, authenticator } = kit;
  const { followers, feed, devices, leases } = parts;
  const waiting = new Set<() => void>();

  http.get("/api/vendor/:vendorId/notifications", async (request, reply) => {
    const principal = await authenticator.authenticate(request, "vendor");
    const { vendorId } = parseRequest(paramsSchema, request.params, "The path");
    requireVendor(principal, vendorId);
    const query = parseRequest(querySchema, request.query, "The query");
    const limit = Math.min(query.limit, config.LIST_EVENTS);
    const waitMs = Math.min(query.wait * 1_000, config.LIST_WAIT_MS);
    if (kit.isDraining()) throw new Problem("draining");

    // One that waits is a connection of its person, and a device that listens.
    const connections = userConnections(principal.personId);
    const isCounted = waitMs > 0;
    if (isCounted) {
      const verdict = await leases.acquire(connections, config.CONNECTIONS_PER_USER);
      if (verdict === "too-many") throw new Problem("too-many-connections");
    }
    const closed = isCounted ? devices.opened(vendorId) : () => {};
    try {
      const page = await readPage(vendorOrdersSubject(vendorId), {
        lastEventId: query.after,
        last: Math.min(query.last, config.LAST_EVENTS, limit),
        limit,
        waitMs,
        onGone: (listener) => reply.raw.once("close", listener),
      });
      return await reply.header("cache-control", "no-store").send(page);
    } finally {
      closed();
      if (isCounted) leases.release(connections);
    }
  });

  async function readPage(
    subject: string,
    options: {
      lastEventId: string | undefined;
      last: number;
      limit: number;
      waitMs: number;
      onGone: (listener: () => void) => void;
    },
  ): Promise<NotificationsPage> {
    const { limit, waitMs } = options;
    const live: StoredEvent[] = [];
    let resumeFrom: string | null = null;
    let wake = () => {};
    const following = await feed.follow(
      subject,
      (event) => {
        if (event.kind === null || live.length > limit) return;
        live.push(event);
        wake();
      },
      (id) => {
        resumeFrom = id;
        wake();
      },
    );
    try {
      const history = await followers.openHistory(subject, following, options);
      const missed = await take(history, limit);
      if (missed.length > 0) return pageOf(history, missed, limit, following);
      // Whoever has to fetch a snapshot is told at once.
      const mayWait = history.status === "fresh" || history.status === "complete";
      if (mayWait && live.length === 0 && resumeFrom === null && waitMs > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, waitMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          waiting.add(wake);
          options.onGone(wake);
          if (kit.isDraining()) wake();
        });
        waiting.delete(wake);
      }
      // Its id has to be judged again; where another log has taken this one's place nothing of it is true any more.
      if (resumeFrom === REPLACED_ID) return RESET_PAGE;
      if (resumeFrom !== null) throw new Problem("unavailable", "Events are gone");
      return pageOf(history, live, limit, following);
    } finally {
      following.stop();
    }
  }

  function pageOf(
    { status, from }: History,
    events: readonly StoredEvent[],
    limit: number,
    following: Following,
  ): NotificationsPage {
    const shown = events.slice(0, limit);
    const last = shown.at(-1);
    return {
      resume: { status, from, to: last ? eventId(following.epoch, last) : following.positionId() },
      events: shown.map((event) => ({
        id: eventId(following.epoch, event),
        event: event.kind as string,
        data: parseData(event.data),
      })),
      more: events.length > limit,
    };
  }

  return {
    end() {
      for (const wake of waiting) wake();
    },
  };
}

const RESET_PAGE: NotificationsPage = {
  resume: { status: "reset", from: null, to: REPLACED_ID },
  events: [],
  more: false,
};

/** One more than `limit` when there are more. */
async function take({ pages }: History, limit: number): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  try {
    while (events.length <= limit) {
      const { done, value } = await pages.next();
      if (done) break;
      events.push(...value.filter(({ kind }) => kind !== null));
    }
  } finally {
    await pages.return?.(undefined);
  }
  return events;
}

/** What somebody else than this platform published may be no JSON: it comes as text, as it does on the stream. */
function parseData(data: Uint8Array): unknown {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

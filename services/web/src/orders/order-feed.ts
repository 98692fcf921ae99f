import type { ConnectionState } from "@localstreet/client/connection-state";
import { openEventStream, type StreamEvent } from "@localstreet/client/event-stream";
import { type ActivityEvent, activityEventSchema } from "@localstreet/contracts/dashboard";
import type { VendorId } from "@localstreet/contracts/ids";
import { type NewOrder, newOrderSchema } from "@localstreet/contracts/order";
import { type ResumeEvent, resumeEventSchema } from "@localstreet/contracts/vendor-events";
import type { z } from "zod";
import type { Session } from "../session.ts";
import { createStore } from "../store.ts";
import { openRecentIds } from "./recent-ids.ts";

/** `replayed`: the order had been placed before this page was looking. */
export type FeedEntry =
  | {
      readonly kind: "order";
      readonly key: string;
      readonly order: NewOrder;
      readonly replayed: boolean;
    }
  | {
      readonly kind: "chat";
      readonly key: string;
      readonly activity: ActivityEvent & { kind: "chat" };
    }
  /** The stream said that what comes above does not follow what comes below. */
  | { readonly kind: "hole"; readonly key: string; readonly status: "gap" | "reset" };

export interface OrderFeedState {
  readonly connection: ConnectionState;
  /** Newest first. */
  readonly entries: readonly FeedEntry[];
  /** How the stream last began; `null` before it did. */
  readonly resume: ResumeEvent | null;
}

export const NO_ORDERS: OrderFeedState = {
  connection: { phase: "connecting" },
  entries: [],
  resume: null,
};

const MAX_ENTRIES = 80;
/** An order older than this was not placed just now, in milliseconds. */
const NEW_ORDER_MS = 10_000;

/** A vendor's orders as they happen (PROTOCOL.md S12). `onOrder` hears of those that are placed from now on. */
export function openOrderFeed(options: {
  vendorId: VendorId;
  token: string | (() => string);
  onOrder(order: NewOrder): void;
}): Session<OrderFeedState> {
  const { vendorId, token, onOrder } = options;
  const store = createStore<OrderFeedState>(NO_ORDERS);
  const recentIds = openRecentIds(`localstreet.orders.${vendorId}`);
  // `null`: more than the server counts ahead.
  let replaysLeft: number | null = 0;
  let keys = 0;

  function add(entry: FeedEntry): void {
    const state = store.get();
    store.set({ ...state, entries: [entry, ...state.entries].slice(0, MAX_ENTRIES) });
  }

  function begin(resume: ResumeEvent, id: string | null): void {
    replaysLeft = resume.replayed;
    if (resume.status === "reset") {
      recentIds.forget();
      store.set({ ...store.get(), entries: [] });
    }
    store.set({ ...store.get(), resume });
    if (resume.status === "gap" || resume.status === "reset") {
      add({ kind: "hole", key: `hole-${keys++}`, status: resume.status });
    }
    // Without replays this is where the page begins; with them the newest of them is newer.
    if (id !== null && resume.replayed === 0) recentIds.add(id);
  }

  function addOrder(order: NewOrder, id: string | null): void {
    const isOld = Date.now() - Date.parse(order.placedAt) > NEW_ORDER_MS;
    const replayed = replaysLeft === null ? isOld : replaysLeft > 0;
    if (!replayed) replaysLeft = 0;
    else if (replaysLeft !== null) replaysLeft -= 1;
    if (id !== null) recentIds.add(id);
    add({ kind: "order", key: id ?? `order-${keys++}`, order, replayed });
    if (!replayed) onOrder(order);
  }

  const stream = openEventStream({
    url: `/api/vendor/${vendorId}/activity/stream`,
    token,
    lastEventId: recentIds.oldest,
    onState: (connection) => store.set({ ...store.get(), connection }),
    onEvent(event) {
      switch (event.event) {
        case "resume":
          return read(event, resumeEventSchema, (resume) => begin(resume, event.id));
        case "new-order":
          return read(event, newOrderSchema, (order) => addOrder(order, event.id));
        case "activity":
          return read(event, activityEventSchema, (activity) => {
            if (activity.kind === "chat") add({ kind: "chat", key: `chat-${keys++}`, activity });
          });
      }
    },
  });
  return { store, close: () => stream.close() };
}

/** Newer servers may send what this page does not know: it is left out. */
function read<S extends z.ZodType>(
  event: StreamEvent,
  schema: S,
  use: (value: z.infer<S>) => void,
): void {
  let data: unknown;
  try {
    data = JSON.parse(event.data);
  } catch {
    return;
  }
  const parsed = schema.safeParse(data);
  if (parsed.success) use(parsed.data);
}

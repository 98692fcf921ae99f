import type { ConnectionState } from "@localstreet/client/connection-state";
import {
  type EventStream,
  openEventStream,
  type StreamEvent,
} from "@localstreet/client/event-stream";
import {
  type ActivityEvent,
  activityEventSchema,
  type Summary,
  summarySchema,
} from "@localstreet/contracts/dashboard";
import type { OrderId, VendorId } from "@localstreet/contracts/ids";
import type { Acknowledgement, NewOrder } from "@localstreet/contracts/order";
import { acknowledgedSchema, ordersSnapshotSchema } from "@localstreet/contracts/order-answers";
import {
  type ResumeEvent,
  resumeEventSchema,
  type VendorEventKind,
  vendorEventSchemas,
} from "@localstreet/contracts/vendor-events";
import type { z } from "zod";
import { fetchJson, HttpError } from "../fetch-json.ts";
import type { Session } from "../session.ts";
import { createStore } from "../store.ts";
import { applyEvent, isOpen, type OrderBook, type OrderEvent, readRecord } from "./order-book.ts";

export type Answer = "accepted" | "rejected";

export interface DeskState {
  readonly connection: ConnectionState;
  readonly book: OrderBook;
  /** What was placed before the page began to listen is in the book. */
  readonly isWhole: boolean;
  readonly summary: Summary | null;
  /** Newest first. */
  readonly activity: readonly { readonly key: number; readonly line: ActivityEvent }[];
  /** Answers that are on their way, and those of this page that the server took. */
  readonly answering: ReadonlyMap<OrderId, Answer>;
  readonly answeredHere: ReadonlySet<OrderId>;
}

export const NO_DESK: DeskState = {
  connection: { phase: "connecting" },
  book: new Map(),
  isWhole: false,
  summary: null,
  activity: [],
  answering: new Map(),
  answeredHere: new Set(),
};

export interface OrderDesk extends Session<DeskState> {
  /** Somebody looks at the order: it stops ringing on every device. */
  see(orderId: OrderId): void;
  answer(orderId: OrderId, answer: Answer): void;
}

const MAX_LINES = 60;
const OPEN_ORDERS = 200;
const RECENT_ORDERS = 30;
const RETRY_MS = 3_000;
/** How long the stream waits for the record at most, so that no order waits for it. */
const HEAD_START_MS = 1_500;

/**
 * A vendor's desk: its orders, its day and what goes on in the shop, on one stream (PROTOCOL.md S12). It begins with what
 * the record holds and goes on from there, and begins anew when the stream says that something is missing (S6).
 */
export function openOrderDesk(options: {
  vendorId: VendorId;
  token: string | (() => string);
  /** An order that was placed just now. */
  onOrder(order: NewOrder): void;
  onReminder(): void;
}): OrderDesk {
  const { vendorId, token } = options;
  const store = createStore<DeskState>(NO_DESK);
  const update = (change: Partial<DeskState>) => store.set({ ...store.get(), ...change });
  const closing = new AbortController();
  const told = new Set<string>();
  let stream: EventStream | null = null;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let begins = 0;
  let keys = 0;

  const request = <S extends z.ZodType>(path: string, schema: S, post?: unknown) =>
    fetchJson(`/api/vendor/${vendorId}/orders${path}`, schema, {
      token: typeof token === "string" ? token : token(),
      signal: closing.signal,
      ...(post === undefined ? {} : { post }),
    });

  /** Reads the record and listens from where it stands; without it too, when it takes long. */
  async function begin(): Promise<void> {
    const attempt = ++begins;
    clearTimeout(retryTimer);
    const headStart = setTimeout(() => {
      if (!stream && !closing.signal.aborted) listen(undefined);
    }, HEAD_START_MS);
    try {
      // What happens between the two is in the second, and comes again: it changes nothing then.
      const recent = await request(`?state=all&limit=${RECENT_ORDERS}`, ordersSnapshotSchema);
      const open = await request(`?state=open&limit=${OPEN_ORDERS}`, ordersSnapshotSchema);
      if (attempt !== begins || closing.signal.aborted) return;
      const book = readRecord([...recent.orders, ...open.orders]);
      update({ book, isWhole: true });
      acknowledgeShown();
      listen(recent.asOf);
    } catch {
      if (attempt !== begins || closing.signal.aborted) return;
      update({ isWhole: false });
      if (!stream) listen(undefined);
      beginLater();
    } finally {
      clearTimeout(headStart);
    }
  }

  function beginLater(): void {
    begins += 1;
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => void begin(), RETRY_MS);
  }

  function listen(lastEventId: string | undefined): void {
    stream?.close();
    stream = openEventStream({
      url: `/api/vendor/${vendorId}/activity/stream`,
      token,
      lastEventId,
      onState(connection) {
        // The one that this stream takes the place of closes meanwhile.
        if (connection.phase !== "closed") update({ connection });
      },
      onEvent,
    });
  }

  function onEvent(event: StreamEvent): void {
    const { event: kind } = event;
    if (kind === "resume") read(event, resumeEventSchema, resume);
    else if (kind === "summary") read(event, summarySchema, (summary) => update({ summary }));
    else if (kind === "activity") read(event, activityEventSchema, addLine);
    else if (isEventKind(kind)) {
      read(event, vendorEventSchemas[kind], (data) => hear({ kind, data } as OrderEvent));
    }
  }

  function resume({ status }: ResumeEvent): void {
    // The posted lines follow once more.
    const isLive = ({ line }: { line: ActivityEvent }) =>
      line.kind === "chat" || line.kind === "delivery";
    update({ activity: store.get().activity.filter(isLive) });
    if (status !== "gap" && status !== "reset") return;
    update({ isWhole: false });
    beginLater();
  }

  function hear(event: OrderEvent): void {
    const { book } = store.get();
    const isKnown = book.has(event.data.orderId);
    update({ book: applyEvent(book, event) });
    acknowledgeShown();
    if (event.kind === "new-order" && !isKnown) options.onOrder(event.data);
    if (event.kind === "order-reminder") options.onReminder();
  }

  function addLine(line: ActivityEvent): void {
    const lines = [{ key: keys++, line }, ...store.get().activity];
    // Those that were posted before the page came are behind a chat that has just come.
    lines.sort((a, b) => Date.parse(b.line.at) - Date.parse(a.line.at));
    update({ activity: lines.slice(0, MAX_LINES) });
  }

  function acknowledgeShown(): void {
    for (const [orderId, order] of store.get().book) {
      if (isOpen(order) && !order.received) void acknowledge(orderId, "received");
    }
  }

  /** Tells it until the server knows, or it does not matter any more. @returns whether the server took it. */
  async function acknowledge(orderId: OrderId, state: Acknowledgement): Promise<boolean> {
    const key = `${orderId} ${state}`;
    if (told.has(key)) return false;
    told.add(key);
    const matters = () => {
      const order = store.get().book.get(orderId);
      return order !== undefined && isOpen(order) && !closing.signal.aborted;
    };
    while (matters()) {
      try {
        await request(`/${orderId}/ack`, acknowledgedSchema, { state });
        return true;
      } catch (error) {
        // Somebody else was first, or it is not ours to answer: the stream says what became of it.
        if (error instanceof HttpError && error.status < 500 && error.status !== 429) return false;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    return false;
  }

  void begin();
  return {
    store,
    see(orderId) {
      const order = store.get().book.get(orderId);
      if (order && isOpen(order) && !order.seen) void acknowledge(orderId, "seen");
    },
    async answer(orderId, answer) {
      const { answering } = store.get();
      if (answering.has(orderId)) return;
      update({ answering: new Map(answering).set(orderId, answer) });
      const isTaken = await acknowledge(orderId, answer);
      const left = new Map(store.get().answering);
      left.delete(orderId);
      update({ answering: left });
      if (isTaken) update({ answeredHere: new Set(store.get().answeredHere).add(orderId) });
    },
    close() {
      closing.abort();
      clearTimeout(retryTimer);
      stream?.close();
    },
  };
}

function isEventKind(kind: string): kind is VendorEventKind {
  return Object.hasOwn(vendorEventSchemas, kind);
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

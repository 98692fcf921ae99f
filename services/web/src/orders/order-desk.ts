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
import type { NewOrder, OrderDecision } from "@localstreet/contracts/order";
import { acknowledgedSchema } from "@localstreet/contracts/order-answers";
import { raise } from "@localstreet/contracts/raise";
import { type ResumeEvent, resumeEventSchema } from "@localstreet/contracts/vendor-events";
import type { z } from "zod";
import { explainFailure } from "../explain-failure.ts";
import { fetchJson, type PageToken } from "../fetch-json.ts";
import { HttpError } from "../http-error.ts";
import type { Session } from "../session.ts";
import { createStore } from "../store.ts";
import {
  applyDecision,
  applyEvent,
  isOpen,
  type OrderBook,
  type OrderEvent,
  readRecord,
} from "./order-book.ts";
import { isOrderEvent, parseJson, parseOrderEvent } from "./order-event.ts";
import { readOrders } from "./read-orders.ts";
import { createOrderTeller } from "./tell-orders.ts";
import { UnreadOrders } from "./unread-orders.ts";

export type Answer = "accepted" | "rejected";

/** An answer that did not arrive, or nobody knows whether it did. */
export interface FailedAnswer {
  readonly answer: Answer;
  /** The end of a sentence. */
  readonly why: string;
}

export interface DeskState {
  readonly connection: ConnectionState;
  readonly book: OrderBook;
  /**
   * `whole`: what was placed before the page began to listen is in the book. `behind`: something has been missed, and the
   * record is read for it. `unclear`: the record does not have it either; it is read again. `unread`: the record could not
   * be read; it is tried again.
   */
  readonly record: "reading" | "whole" | "behind" | "unclear" | "unread";
  /** More orders wait than the page has read. */
  readonly hasMore: boolean;
  /** Orders that the platform has told of, and that could not be read. */
  readonly unreadOrders: number;
  /** Something else of the stream that could not be read: figures, lines of the shop. */
  readonly unreadable: number;
  readonly summary: Summary | null;
  /** Newest first. */
  readonly activity: readonly { readonly key: number; readonly line: ActivityEvent }[];
  /** Answers that are on their way, and those of this page that the server took. */
  readonly answering: ReadonlyMap<OrderId, Answer>;
  readonly failed: ReadonlyMap<OrderId, FailedAnswer>;
  readonly answeredHere: ReadonlySet<OrderId>;
}

export const NO_DESK: DeskState = {
  connection: { phase: "connecting" },
  book: new Map(),
  record: "reading",
  hasMore: false,
  unreadOrders: 0,
  unreadable: 0,
  summary: null,
  activity: [],
  answering: new Map(),
  failed: new Map(),
  answeredHere: new Set(),
};

export interface OrderDesk extends Session<DeskState> {
  /** Somebody looks at the order: it stops ringing on every device. */
  see(orderId: OrderId): void;
  /** Sends one answer, unless one is under way; when it fails the state says so, and it may be given again. */
  answer(orderId: OrderId, answer: Answer): void;
}

const MAX_LINES = 60;
/** Between two reads of the record at least, and at most when it cannot be read. */
const READ_EVERY_MS = 3_000;
const LONGEST_RETRY_MS = 30_000;
/** Events that cannot be read come in crowds: one read of the record is for all of them. */
const GATHER_MS = 250;
/** How long the stream waits for the record at most, so that no order waits for it. */
const HEAD_START_MS = 1_500;

/**
 * A vendor's desk: its orders, its day and what goes on in the shop, on one stream (PROTOCOL.md S12). It begins with what
 * the record holds and goes on from there, and begins anew when the stream says that something is missing (S6).
 */
export function openOrderDesk(options: {
  vendorId: VendorId;
  token: PageToken;
  /** An order that was placed just now. */
  onOrder(order: NewOrder): void;
  onReminder(): void;
}): OrderDesk {
  const { vendorId, token } = options;
  const store = createStore<DeskState>(NO_DESK);
  const update = (change: Partial<DeskState>) => store.set({ ...store.get(), ...change });
  const closing = new AbortController();
  const unread = new UnreadOrders();
  /** Answers that were sent and may have arrived, though nobody said so. */
  const uncertain = new Set<OrderId>();
  let stream: EventStream | null = null;
  let readTimer: ReturnType<typeof setTimeout> | undefined;
  let reading = false;
  /** Something was missed since the read under way has begun. */
  let lost = false;
  let failures = 0;
  /** Reads in a row after which something was missing still. */
  let misses = 0;
  let readAtMs = 0;
  let keys = 0;

  const request = <S extends z.ZodType>(path: string, schema: S, post?: unknown) =>
    fetchJson(`/api/vendor/${vendorId}/orders${path}`, schema, {
      token,
      signal: closing.signal,
      ...(post === undefined ? {} : { post }),
    });
  const teller = createOrderTeller({
    send: (orderId, state) => request(`/${orderId}/ack`, acknowledgedSchema, { state }),
    matters: isOpenHere,
  });

  function isOpenHere(orderId: OrderId): boolean {
    const order = store.get().book.get(orderId);
    return order !== undefined && isOpen(order);
  }

  /** Reads the record and listens from where it stands; without it too, when it takes long. */
  async function readRecordOnce(): Promise<void> {
    clearTimeout(readTimer);
    readTimer = undefined;
    reading = true;
    lost = false;
    readAtMs = Date.now();
    const headStart = setTimeout(() => {
      if (!stream && !closing.signal.aborted) listen(undefined);
    }, HEAD_START_MS);
    const known = unread.known();
    try {
      const record = await readOrders(request);
      if (closing.signal.aborted) return;
      failures = 0;
      unread.explain(record.current ? known : [], record.orders, record.unreadable);
      const isUnclear = !record.current && known.length > 0;
      misses = isUnclear ? misses + 1 : 0;
      update({
        book: readRecord(record.orders, store.get().book, Date.now()),
        record: isUnclear ? "unclear" : lost ? "behind" : "whole",
        hasMore: record.more,
        unreadOrders: unread.countMissing(),
      });
      acknowledgeShown();
      listen(record.asOf);
      reading = false;
      if (isUnclear || lost) readLater(growing(misses));
    } catch (error) {
      if (closing.signal.aborted) return;
      failures += 1;
      update({ record: "unread" });
      if (!stream) listen(undefined);
      const retryAfterMs = error instanceof HttpError ? (error.retryAfterMs ?? 0) : 0;
      reading = false;
      readLater(Math.min(Math.max(growing(failures), retryAfterMs), LONGEST_RETRY_MS));
    } finally {
      clearTimeout(headStart);
    }
  }

  function readRecordAlone(): void {
    readRecordOnce().catch(raise);
  }

  /** What is under way or waits already is for this one too. */
  function readLater(waitMs: number): void {
    if (reading || readTimer !== undefined) return;
    readTimer = setTimeout(readRecordAlone, waitMs);
  }

  function readSoon(): void {
    clearTimeout(readTimer);
    readTimer = undefined;
    readLater(GATHER_MS);
  }

  function loseTrack(): void {
    lost = true;
    if (store.get().record === "whole") update({ record: "behind" });
    readLater(Math.max(GATHER_MS, readAtMs + READ_EVERY_MS - Date.now()));
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
        // The platform is back.
        if (connection.phase === "open" && failures > 0) readSoon();
      },
      onEvent,
    });
  }

  function onEvent(event: StreamEvent): void {
    const { event: kind } = event;
    if (isOrderEvent(event)) {
      const parsed = parseOrderEvent(event);
      if (parsed) hear(parsed);
      else missOrderEvent(event);
    } else if (kind === "resume") {
      const parsed = resumeEventSchema.safeParse(parseJson(event.data));
      // A verdict that cannot be read may be that something is missing.
      if (parsed.success) resume(parsed.data);
      else loseTrack();
    } else if (kind === "summary") {
      const parsed = summarySchema.safeParse(parseJson(event.data));
      if (parsed.success) update({ summary: parsed.data });
      else countUnreadable();
    } else if (kind === "activity") {
      const parsed = activityEventSchema.safeParse(parseJson(event.data));
      if (parsed.success) addLine(parsed.data);
      else countUnreadable();
    }
  }

  /** The stream goes on behind it: what it said is to be had from the record alone. */
  function missOrderEvent(event: StreamEvent): void {
    if (!unread.addEvent(event)) return;
    update({ unreadOrders: unread.countMissing() });
    loseTrack();
  }

  function countUnreadable(): void {
    update({ unreadable: store.get().unreadable + 1 });
  }

  function resume({ status }: ResumeEvent): void {
    // The posted lines follow once more.
    const isLive = ({ line }: { line: ActivityEvent }) =>
      line.kind === "chat" || line.kind === "delivery";
    update({ activity: store.get().activity.filter(isLive) });
    if (status === "gap" || status === "reset") loseTrack();
  }

  function hear(event: OrderEvent): void {
    const { book } = store.get();
    const isKnown = book.has(event.data.orderId);
    update({ book: applyEvent(book, event, Date.now()) });
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
      if (isOpen(order) && !order.received) teller.tell(orderId, "received");
    }
  }

  async function answer(orderId: OrderId, given: Answer): Promise<void> {
    if (store.get().answering.has(orderId) || !isOpenHere(orderId)) return;
    update({
      answering: new Map(store.get().answering).set(orderId, given),
      failed: without(store.get().failed, orderId),
    });
    const outcome = await sendAnswer(orderId, given);
    const { book, answering, failed, answeredHere } = store.get();
    const decision = outcome.kind === "failed" ? null : outcome.decision;
    update({
      answering: without(answering, orderId),
      // The stream may be away: the card says what this page was told.
      book: decision ? applyDecision(book, orderId, decision, Date.now()) : book,
      failed:
        outcome.kind === "failed"
          ? stillThere(failed, book).set(orderId, { answer: given, why: outcome.why })
          : failed,
      answeredHere:
        outcome.kind === "taken"
          ? new Set(stillThere(answeredHere, book).keys()).add(orderId)
          : answeredHere,
    });
  }

  async function sendAnswer(
    orderId: OrderId,
    given: Answer,
  ): Promise<
    { kind: "taken" | "lost"; decision: OrderDecision } | { kind: "failed"; why: string }
  > {
    try {
      const { duplicate } = await request(`/${orderId}/ack`, acknowledgedSchema, { state: given });
      const isOwn = !duplicate || uncertain.has(orderId);
      uncertain.delete(orderId);
      const decision = { state: given, by: null, at: new Date().toISOString() };
      return { kind: isOwn ? "taken" : "lost", decision };
    } catch (error) {
      const isRefused = error instanceof HttpError && error.status < 500;
      const winner = isRefused ? error.problem?.winner : undefined;
      if (winner) return { kind: "lost", decision: winner };
      if (!isRefused) uncertain.add(orderId);
      return { kind: "failed", why: explainFailure(error) };
    }
  }

  readRecordAlone();
  return {
    store,
    see(orderId) {
      if (isOpenHere(orderId) && !store.get().book.get(orderId)?.seen) teller.tell(orderId, "seen");
    },
    answer(orderId, given) {
      answer(orderId, given).catch(raise);
    },
    close() {
      closing.abort();
      teller.close();
      clearTimeout(readTimer);
      stream?.close();
    },
  };
}

/** The wait after so many attempts without success. */
function growing(attempts: number): number {
  return Math.min(READ_EVERY_MS * 2 ** Math.max(0, attempts - 1), LONGEST_RETRY_MS);
}

function without<V>(map: ReadonlyMap<OrderId, V>, orderId: OrderId): ReadonlyMap<OrderId, V> {
  const left = new Map(map);
  left.delete(orderId);
  return left;
}

/** What is of orders that the page still shows: those of a day are many. */
function stillThere<V>(
  entries: { entries(): Iterable<[OrderId, V]> },
  book: OrderBook,
): Map<OrderId, V> {
  return new Map([...entries.entries()].filter(([orderId]) => book.has(orderId)));
}

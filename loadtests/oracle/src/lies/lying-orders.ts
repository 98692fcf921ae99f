import type { ServerResponse } from "node:http";
import { encodeEventId, NO_CHECK, parseEventId } from "@localstreet/contracts/event-id";
import { encodeSseEvent } from "@localstreet/contracts/sse";
import type { Liar } from "./liar.ts";
import { createLyingAlerts } from "./lying-alerts.ts";
import { type ApiAnswer, type ApiRequest, NOT_FOUND } from "./wire.ts";

interface OrderEvent {
  readonly id: string;
  readonly sequence: number;
  readonly kind: string;
  readonly order: { readonly vendorId: string; readonly orderId?: string };
}

interface Stream {
  readonly vendorId: string;
  readonly isDashboard: boolean;
  readonly response: ServerResponse;
}

/** Orders and streams, with the lies that can be told about them. */
export function createLyingOrders(liar: Liar) {
  const log: OrderEvent[] = [];
  const answers = new Map<string, { id: string }>();
  const streams = new Set<Stream>();
  let lastSequence = 0;
  let heldBack: OrderEvent | undefined;

  const epoch = "k3j9x0ab";
  const nextEvent = (order: OrderEvent["order"], kind = "new-order"): OrderEvent => {
    const sequence = ++lastSequence;
    return { id: encodeEventId({ epoch, sequence, check: "aaaaaa" }), sequence, kind, order };
  };
  const isOf = (vendorId: string) => (event: OrderEvent) => event.order.vendorId === vendorId;
  const idOf = (event: OrderEvent | undefined) =>
    event?.id ?? encodeEventId({ epoch, sequence: 0, check: NO_CHECK });
  const alerts = createLyingAlerts(liar, {
    tell(vendorId, kind, data) {
      const event = nextEvent({ vendorId, ...data }, kind);
      log.push(event);
      for (const stream of streams) {
        if (stream.vendorId === vendorId) write(stream, event);
      }
      return event.id;
    },
    headOf: (vendorId) => idOf(log.filter(isOf(vendorId)).at(-1)),
    start: idOf(undefined),
  });

  function write({ response }: Stream, { id, kind, order }: OrderEvent): void {
    response.write(encodeSseEvent({ id, event: kind, data: JSON.stringify(order) }));
  }

  function deliver(event: OrderEvent): void {
    for (const stream of streams) {
      if (stream.vendorId !== event.order.vendorId) {
        if (!stream.isDashboard && liar.once("sends an order to a stranger", 5)) {
          write(stream, event);
        }
        continue;
      }
      if (stream.isDashboard) {
        if (!liar.once("leaves an order out on the dashboard", 5)) write(stream, event);
        continue;
      }
      if (liar.each("drops one order in a thousand", 1_000)) continue;
      write(stream, event);
      if (liar.once("brings an order twice", 5)) write(stream, event);
      if (liar.once("brings an order again under another id", 5)) {
        write(stream, nextEvent(event.order));
      }
      if (liar.once("invents an order", 5)) {
        write(stream, nextEvent({ ...event.order, orderId: "nobody-ordered-this" }));
      }
    }
  }

  function takeOrder(vendorId: string, body: ApiRequest["body"]): ApiAnswer {
    const orderId = String(body.orderId);
    const order = { ...body, vendorId, orderId };
    const key = `${vendorId}/${orderId}`;
    const known = answers.get(key);
    if (known) return { status: 202, body: { ...known, duplicate: true } };
    const event = nextEvent(order);
    answers.set(key, { id: event.id });
    alerts.place(vendorId, orderId);
    const accepted = { status: 202, body: { id: event.id, duplicate: false } };
    if (liar.once("acknowledges an order before it is stored, and loses it", 5)) return accepted;
    if (!liar.once("delivers an order that it does not store", 5)) log.push(event);
    if (liar.once("stores an order twice", 5)) log.push(nextEvent(order));
    const before = heldBack;
    const isHeldBack = liar.once("brings two orders in the wrong order", 5);
    if (isHeldBack) heldBack = event;
    else deliver(event);
    if (before?.order.vendorId === vendorId) {
      heldBack = undefined;
      deliver(before);
    }
    if (liar.once("acknowledges an order under the id of another", 5)) {
      return { status: 202, body: { id: log[0]?.id, duplicate: false } };
    }
    return accepted;
  }

  function openStream(stream: Stream, lastEventId: string | undefined): void {
    const { vendorId, response, isDashboard } = stream;
    const mine = log.filter(isOf(vendorId));
    const to = idOf(mine.at(-1));
    const from = lastEventId === undefined ? null : parseEventId(lastEventId);
    const isLate = from !== null && from.sequence > 0 && !isDashboard;
    const forgets = isLate && liar.always("forgets where a stream was");
    const missed = mine.filter(({ sequence }) => from && !forgets && sequence > from.sequence);
    let replayed = missed;
    if (isLate && liar.always("says complete and replays nothing")) replayed = [];
    const count = replayed.length;
    if (isLate && liar.always("replays fewer than it said")) replayed = replayed.slice(1);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const status = from && !forgets ? "complete" : "fresh";
    const resume = { status, from: from ? lastEventId : null, to, replayed: count };
    const id = count > 0 && from ? lastEventId : to;
    response.write(
      encodeSseEvent({ ...(id ? { id } : {}), event: "resume", data: JSON.stringify(resume) }),
    );
    for (const event of replayed) write(stream, event);
    streams.add(stream);
    response.once("close", () => streams.delete(stream));
  }

  return {
    /** What is posted under `/api/vendor`. */
    take({ path, body }: ApiRequest): ApiAnswer {
      const [, vendorId = "", , orderId, what] = path;
      if (orderId === undefined) return takeOrder(vendorId, body);
      return what === "ack" ? alerts.answer(vendorId, orderId, String(body.state)) : NOT_FOUND;
    },
    snapshot: alerts.snapshot,
    close: alerts.close,
    openStream,
    /** A line of activity on the vendor's dashboards. */
    tellActivity(vendorId: string, text: string): void {
      const data = JSON.stringify({ kind: "chat", at: new Date().toISOString(), text });
      for (const stream of streams) {
        if (stream.isDashboard && stream.vendorId === vendorId) {
          stream.response.write(encodeSseEvent({ event: "activity", data }));
        }
      }
    },
  };
}

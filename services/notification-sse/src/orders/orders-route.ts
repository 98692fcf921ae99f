import { checkOf } from "@localstreet/bus/log-position";
import type { SubjectLog } from "@localstreet/bus/subject-log";
import { encodeEventId } from "@localstreet/contracts/event-id";
import { orderIdSchema, type VendorId, vendorIdSchema } from "@localstreet/contracts/ids";
import type {
  OrderSnapshot,
  OrdersSnapshot,
  RecordedOrder,
} from "@localstreet/contracts/order-answers";
import { Problem } from "@localstreet/contracts/problem";
import { vendorOrdersSubject } from "@localstreet/contracts/subjects";
import { listOrders, type OrdersAt, readOrder } from "@localstreet/db/order-reads";
import { type OrderRowWithBody, orderState } from "@localstreet/db/order-row";
import type { Pool } from "@localstreet/db/pool";
import { requireVendor } from "@localstreet/service-kit/auth";
import { parseRequest } from "@localstreet/service-kit/http";
import type { ServiceKit } from "@localstreet/service-kit/service";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { NotificationConfig } from "../config.ts";
import { createPositionWatch } from "../record/position-watch.ts";
import { encodeOrdersCursor, parseOrdersCursor } from "./orders-cursor.ts";

const vendorSchema = z.object({ vendorId: vendorIdSchema });
const orderSchema = z.object({ vendorId: vendorIdSchema, orderId: orderIdSchema });

const DEFAULT_LIMIT = 100;

/** `GET /api/vendor/{vendorId}/orders` and `…/orders/{orderId}`: the record of orders (PROTOCOL.md S25, S26). */
export function registerOrdersRoutes(
  { http, authenticator, config }: ServiceKit<NotificationConfig>,
  { pool, log }: { pool: Pool; log: SubjectLog },
): void {
  const most = config.ORDERS_LISTED;
  const watch = createPositionWatch({ pool, waiting: config.ORDERS_WAITING });
  const querySchema = z
    .strictObject({
      state: z.enum(["open", "all"]).default("open"),
      limit: z.coerce.number().int().min(1).max(most).default(Math.min(DEFAULT_LIMIT, most)),
      after: z.string().transform(parseOrdersCursor).optional(),
    })
    .refine(({ state, after }) => after === undefined || after?.state === state, {
      message: "must be the `next` of a page of the same list",
      path: ["after"],
    });

  http.get("/api/vendor/:vendorId/orders", async (request): Promise<OrdersSnapshot> => {
    const { vendorId } = await authorize(request, vendorSchema);
    const query = parseRequest(querySchema, request.query, "The query");
    const { state, limit } = query;
    const after = query.after ?? undefined;
    // One more than asked for says whether there are more.
    const { orders, asOf, current } = await readCurrent(vendorId, () =>
      listOrders(pool, { vendorId, which: state, limit: limit + 1, after }),
    );
    // A page tells what has happened since the first one too: the stream tells it again, and then it changes nothing.
    const from = after?.asOf ?? asOf;
    const page = orders.slice(0, limit);
    const last = page.at(-1);
    const more = orders.length > limit;
    return {
      asOf: from,
      current,
      orders: page.map(toRecordedOrder),
      more,
      next: more && last ? encodeOrdersCursor({ state, asOf: from, ...last }) : null,
    };
  });

  http.get("/api/vendor/:vendorId/orders/:orderId", async (request): Promise<OrderSnapshot> => {
    const { vendorId, orderId } = await authorize(request, orderSchema);
    const { orders, ...snapshot } = await readCurrent(vendorId, () =>
      readOrder(pool, { vendorId, orderId }),
    );
    const [order] = orders;
    if (order) return { ...snapshot, order: toRecordedOrder(order) };
    throw new Problem(snapshot.current ? "not-found" : "unavailable");
  });

  async function authorize<S extends z.ZodType<{ vendorId: VendorId }>>(
    request: FastifyRequest,
    schema: S,
  ): Promise<z.infer<S>> {
    const principal = await authenticator.authenticate(request, "vendor");
    const params = parseRequest(schema, request.params, "The path");
    requireVendor(principal, params.vendorId);
    return params;
  }

  /**
   * Reads once, when the record holds all that the vendor's log held when this was called, or after `ORDERS_WAIT_MS`. What is
   * read then is older and no less right: the stream from `asOf` brings the rest.
   */
  async function readCurrent(
    vendorId: VendorId,
    read: () => Promise<OrdersAt>,
  ): Promise<{ asOf: string; current: boolean; orders: OrdersAt["orders"] }> {
    const subject = vendorOrdersSubject(vendorId);
    const end = await readEnd(subject);
    if (end) await watch.reached(end, config.ORDERS_WAIT_MS);
    const { position, orders, isSetAside } = await read();
    if (!position) throw new Problem("unavailable", "The record of orders is not there yet");
    const { epoch, sequence, messageId } = position;
    const hasReached = end !== null && epoch === end.epoch && sequence >= end.sequence;
    const asOf = encodeEventId({ epoch, sequence, check: checkOf(subject, messageId) });
    return { asOf, current: hasReached && !isSetAside, orders };
  }

  /** `null` while NATS is away. */
  async function readEnd(subject: string): Promise<{ epoch: string; sequence: number } | null> {
    try {
      const [{ epoch }, head] = await Promise.all([log.bounds(), log.head(subject)]);
      return { epoch, sequence: head?.sequence ?? 0 };
    } catch (error) {
      if ((error as { retryable?: unknown }).retryable !== true) throw error;
      return null;
    }
  }
}

function toRecordedOrder(row: OrderRowWithBody): RecordedOrder {
  const time = (date: Date | null) => date?.toISOString() ?? null;
  return {
    ...row.body,
    status: row.status,
    state: orderState(row),
    receivedAt: time(row.receivedAt),
    seenAt: time(row.seenAt),
    answeredAt: time(row.answeredAt),
    answeredBy: row.answeredBy,
    escalatedAt: time(row.escalatedAt),
    escalationReason: row.escalationReason,
    expiredAt: time(row.expiredAt),
    cancelledAt: time(row.cancelledAt),
    reminders: row.reminders,
  };
}

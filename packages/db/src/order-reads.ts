import type { OrderId, VendorId } from "@localstreet/contracts/ids";
import { toDatabaseError } from "./database-error.ts";
import { ORDERS_PROJECTION } from "./order-projection.ts";
import { ORDER_COLUMNS, type OrderRowWithBody } from "./order-row.ts";
import type { Pool } from "./pool.ts";
import type { ProjectionPosition, SetAsideOrder } from "./projection-store.ts";
import { SET_ASIDE_COLUMNS, type SetAsideRow, setAsideOrders } from "./set-aside-row.ts";

/** Orders as they were when the projection stood at `position`: both are of one snapshot of the database. */
export interface OrdersAt {
  /** `null` while no log has been projected yet. */
  readonly position: ProjectionPosition | null;
  readonly orders: readonly OrderRowWithBody[];
  /** Of the vendor, or of the order, something is in the log up to there that was not understood (PROTOCOL.md S44). */
  readonly isSetAside: boolean;
}

const POSITION = `SELECT epoch, history, sequence::float8 AS sequence, message_id AS "messageId"
  FROM projections WHERE name = $1 AND epoch <> ''`;

const SET_ASIDE_OF_VENDOR = "e.reason IS NOT NULL AND e.vendor_id = $2";
const SET_ASIDE_OF_ORDER = `${SET_ASIDE_OF_VENDOR} AND e.order_id = $3`;

/** The position comes once more often than there are orders, so that it is there when there is none. */
function atPosition(orders: string, order: string, setAside: string): string {
  return `WITH at AS (${POSITION})
    SELECT row_to_json(at) AS position,
      EXISTS (SELECT 1 FROM set_aside_events e WHERE ${setAside}) AS "isSetAside", listed.* FROM at LEFT JOIN LATERAL (${orders}) listed ON true ${order}`;
}

const ONE = {
  name: "orders-read-one",
  text: atPosition(
    `SELECT ${ORDER_COLUMNS}, o.body FROM orders o WHERE o.vendor_id = $2 AND o.order_id = $3`,
    "",
    SET_ASIDE_OF_ORDER,
  ),
};

/** A place in a list of orders. It stays where it is: neither of the two ever changes. */
export interface OrderPlace {
  readonly placedAt: Date;
  readonly orderId: OrderId;
}

// The index brings the orders from `placed_at` on; equal times are few.
const AFTER = {
  open: "AND (o.placed_at, o.order_id) > ($4::timestamptz, $5::text)",
  all: "AND (o.placed_at, o.order_id) < ($4::timestamptz, $5::text)",
};

function openOrders(name: string, after: string) {
  return {
    name,
    text: atPosition(
      `SELECT ${ORDER_COLUMNS}, o.body FROM orders o WHERE o.vendor_id = $2 AND o.status = 'placed'
        ${after} ORDER BY o.placed_at, o.order_id LIMIT $3`,
      `ORDER BY listed."placedAt", listed."orderId"`,
      SET_ASIDE_OF_VENDOR,
    ),
  };
}

function newestOrders(name: string, after: string) {
  return {
    name,
    text: atPosition(
      `SELECT ${ORDER_COLUMNS}, o.body FROM orders o WHERE o.vendor_id = $2
        ${after} ORDER BY o.placed_at DESC, o.order_id DESC LIMIT $3`,
      `ORDER BY listed."placedAt" DESC, listed."orderId" DESC`,
      SET_ASIDE_OF_VENDOR,
    ),
  };
}

const LISTS = {
  open: {
    first: openOrders("orders-read-open", ""),
    next: openOrders("orders-read-open-after", AFTER.open),
  },
  all: {
    first: newestOrders("orders-read-newest", ""),
    next: newestOrders("orders-read-newest-after", AFTER.all),
  },
};

const POSITION_ALONE = { name: "orders-position", text: POSITION };

const SET_ASIDE = {
  name: "orders-read-set-aside",
  text: `SELECT ${SET_ASIDE_COLUMNS} FROM set_aside_events e WHERE e.vendor_id = $1 AND e.order_id = $2
    ORDER BY e.history, e.sequence`,
};

type Row = { readonly position: ProjectionPosition; isSetAside: boolean } & OrderRowWithBody;

async function read(
  pool: Pool,
  statement: { name: string; text: string },
  values: unknown[],
): Promise<OrdersAt> {
  try {
    const { rows } = await pool.query<Row>({
      ...statement,
      values: [ORDERS_PROJECTION, ...values],
    });
    return {
      position: rows[0]?.position ?? null,
      orders: rows.filter(({ orderId }) => orderId !== null),
      isSetAside: rows[0]?.isSetAside ?? false,
    };
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/** One order, or none. @throws {DatabaseUnavailableError} */
export async function readOrder(
  pool: Pool,
  { vendorId, orderId }: { vendorId: VendorId; orderId: OrderId },
): Promise<OrdersAt> {
  return await read(pool, ONE, [vendorId, orderId]);
}

/**
 * A vendor's orders, `limit` at most: the open ones, the oldest first, or all, the newest first; those that follow `after`,
 * where it is given.
 *
 * @throws {DatabaseUnavailableError}
 */
export async function listOrders(
  pool: Pool,
  list: {
    vendorId: VendorId;
    which: "open" | "all";
    limit: number;
    after?: OrderPlace | undefined;
  },
): Promise<OrdersAt> {
  const { vendorId, which, limit, after } = list;
  const { first, next } = LISTS[which];
  if (!after) return await read(pool, first, [vendorId, limit]);
  return await read(pool, next, [vendorId, limit, after.placedAt, after.orderId]);
}

/** How far the log is projected; `null` while none has been. @throws {DatabaseUnavailableError} */
export async function readPosition(pool: Pool): Promise<ProjectionPosition | null> {
  try {
    const { rows } = await pool.query<ProjectionPosition>({
      ...POSITION_ALONE,
      values: [ORDERS_PROJECTION],
    });
    return rows[0] ?? null;
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/** What was set aside of one order; `null` when nothing was. @throws {DatabaseUnavailableError} */
export async function readSetAside(
  pool: Pool,
  { vendorId, orderId }: { vendorId: VendorId; orderId: OrderId },
): Promise<SetAsideOrder | null> {
  try {
    const { rows } = await pool.query<SetAsideRow>({ ...SET_ASIDE, values: [vendorId, orderId] });
    return setAsideOrders(rows)[0] ?? null;
  } catch (error) {
    throw toDatabaseError(error);
  }
}

import type { OrderId, VendorId } from "@localstreet/contracts/ids";
import { toDatabaseError } from "./database-error.ts";
import { ORDERS_PROJECTION, type ProjectionPosition } from "./order-projection.ts";
import { ORDER_COLUMNS, type OrderRowWithBody } from "./order-row.ts";
import type { Pool } from "./pool.ts";

/** Orders as they were when the projection stood at `position`: both are of one snapshot of the database. */
export interface OrdersAt {
  /** `null` while no log has been projected yet. */
  readonly position: ProjectionPosition | null;
  readonly orders: readonly OrderRowWithBody[];
}

const POSITION = `SELECT epoch, history, sequence::float8 AS sequence, message_id AS "messageId"
  FROM projections WHERE name = $1 AND epoch <> ''`;

/** The position comes once more often than there are orders, so that it is there when there is none. */
function atPosition(orders: string, order: string): string {
  return `WITH at AS (${POSITION})
    SELECT row_to_json(at) AS position, listed.* FROM at LEFT JOIN LATERAL (${orders}) listed ON true ${order}`;
}

const ONE = {
  name: "orders-read-one",
  text: atPosition(
    `SELECT ${ORDER_COLUMNS}, o.body FROM orders o WHERE o.vendor_id = $2 AND o.order_id = $3`,
    "",
  ),
};

const OPEN = {
  name: "orders-read-open",
  text: atPosition(
    `SELECT ${ORDER_COLUMNS}, o.body FROM orders o WHERE o.vendor_id = $2 AND o.status = 'placed'
      ORDER BY o.placed_at, o.order_id LIMIT $3`,
    `ORDER BY listed."placedAt", listed."orderId"`,
  ),
};

const NEWEST = {
  name: "orders-read-newest",
  text: atPosition(
    `SELECT ${ORDER_COLUMNS}, o.body FROM orders o WHERE o.vendor_id = $2
      ORDER BY o.placed_at DESC, o.order_id DESC LIMIT $3`,
    `ORDER BY listed."placedAt" DESC, listed."orderId" DESC`,
  ),
};

type Row = { readonly position: ProjectionPosition } & OrderRowWithBody;

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
 * A vendor's orders, `limit` at most: the open ones, the oldest first, or all, the newest first.
 *
 * @throws {DatabaseUnavailableError}
 */
export async function listOrders(
  pool: Pool,
  { vendorId, which, limit }: { vendorId: VendorId; which: "open" | "all"; limit: number },
): Promise<OrdersAt> {
  return await read(pool, which === "open" ? OPEN : NEWEST, [vendorId, limit]);
}

import type pg from "pg";
import { nextDueAt, type OrderDeadlines } from "./order-due.ts";
import { ORDERS_PROJECTION } from "./order-projection.ts";
import { ORDER_COLUMNS, type OrderRow } from "./order-row.ts";
import type { Pool } from "./pool.ts";
import { inTransaction } from "./transaction.ts";

/** What became of one order's deadline, once its events are in the log. */
export type FiredOrder =
  | {
      readonly status: "rang";
      /** What the row has to remember; what the events tell, the projection writes. */
      readonly reminders: number;
      readonly escalated: boolean;
      readonly attended: boolean;
      readonly opsTold: boolean;
    }
  /** It expired, or an answer was first: either way the log has what ends it. */
  | { readonly status: "ended" };

/** How far the log was projected, for certain, when the orders were read. */
export interface ProjectedUntil {
  /** By the clock of a store: no replica's clock decides what is due. */
  readonly at: Date;
  readonly epoch: string;
  readonly sequence: number;
}

// Nothing fires past the time up to which the log is projected: an answer could be in what is not.
const TAKE_DUE = {
  name: "orders-take-due",
  text: `SELECT ${ORDER_COLUMNS}, (SELECT json_build_object('epoch', epoch, 'sequence', sequence) FROM projections
      WHERE name = $1) AS "projectedTo", (SELECT through_at FROM projections WHERE name = $1) AS "throughAt"
    FROM orders o
    WHERE o.due_at IS NOT NULL AND o.due_at <= (SELECT through_at FROM projections WHERE name = $1)
    ORDER BY o.due_at LIMIT $2 FOR UPDATE OF o SKIP LOCKED`,
};

const MOVE_DUE = {
  name: "orders-move-due",
  text: `UPDATE orders o SET reminders = fired.reminders, attended = fired.attended, ops_told = fired.ops_told,
      due_at = fired.due_at
    FROM unnest($1::text[], $2::text[], $3::int[], $4::boolean[], $5::boolean[], $6::timestamptz[])
      AS fired (vendor_id, order_id, reminders, attended, ops_told, due_at)
    WHERE o.vendor_id = fired.vendor_id AND o.order_id = fired.order_id`,
};

/** When an order that ended is looked at again, in case that its log is lost before it is projected. */
const ENDED_AGAIN_MS = 60_000;

/**
 * Takes the orders with a deadline that has passed, which no other replica has in hand, lets `fire` publish what is due
 * and moves their deadlines, in one transaction. Whoever dies in between leaves them due: they fire again, and the
 * events' ids remove the second.
 *
 * @param options.fire must end in time of itself: Postgres breaks off a transaction that idles. Gives for each order, in
 *   their order, what became of it, or `null` to leave it due.
 * @returns how many were taken and how many of them were left due.
 * @throws {DatabaseUnavailableError}
 */
export async function fireDueOrders(
  pool: Pool,
  options: {
    limit: number;
    deadlines: OrderDeadlines;
    fire: (
      orders: readonly OrderRow[],
      until: ProjectedUntil,
    ) => Promise<readonly (FiredOrder | null)[]>;
  },
): Promise<{ taken: number; leftDue: number }> {
  const { limit, deadlines, fire } = options;
  return await inTransaction(pool, async (client) => {
    const { rows } = await client.query<
      OrderRow & { throughAt: Date; projectedTo: Omit<ProjectedUntil, "at"> }
    >({
      ...TAKE_DUE,
      values: [ORDERS_PROJECTION, limit],
    });
    const [first] = rows;
    if (!first) return { taken: 0, leftDue: 0 };
    const at = first.throughAt;
    const fired = await fire(rows, { ...first.projectedTo, at });
    const moved = rows.flatMap((row, index) => {
      const outcome = fired[index];
      return outcome ? [movedRow(row, outcome, deadlines, at)] : [];
    });
    if (moved.length > 0) await moveDue(client, moved);
    return { taken: rows.length, leftDue: rows.length - moved.length };
  });
}

function movedRow(row: OrderRow, fired: FiredOrder, deadlines: OrderDeadlines, at: Date): OrderRow {
  if (fired.status === "ended") return { ...row, dueAt: new Date(at.getTime() + ENDED_AGAIN_MS) };
  const { reminders, escalated, attended, opsTold } = fired;
  const after = { ...row, reminders, attended, opsTold };
  const dueAt = nextDueAt(escalated ? { ...after, escalatedAt: at } : after, deadlines, at);
  return { ...after, dueAt };
}

async function moveDue(client: pg.PoolClient, rows: readonly OrderRow[]): Promise<void> {
  const columns = ["vendorId", "orderId", "reminders", "attended", "opsTold", "dueAt"] as const;
  await client.query({
    ...MOVE_DUE,
    values: columns.map((column) => rows.map((row) => row[column])),
  });
}

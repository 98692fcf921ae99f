import type { VendorId } from "@localstreet/contracts/ids";
import type pg from "pg";
import { isDataError, toDatabaseError } from "./database-error.ts";
import type { OrderDeadlines } from "./order-due.ts";
import { type LoggedEvent, tellOrder } from "./order-life.ts";
import { ORDER_COLUMNS, type OrderRow, type OrderRowWithBody } from "./order-row.ts";
import type { Pool } from "./pool.ts";
import { inTransaction } from "./transaction.ts";

export type { LoggedEvent } from "./order-life.ts";

/** The row of `projections` that the table `orders` is projected under. */
export const ORDERS_PROJECTION = "orders";

/** How far the log is projected. */
export interface ProjectionPosition {
  /** Of the log; empty before the first. */
  readonly epoch: string;
  readonly history: number;
  readonly sequence: number;
  /** `Nats-Msg-Id` of the event at `sequence`. */
  readonly messageId: string | null;
}

const POSITION_COLUMNS = `epoch, history, sequence::float8 AS sequence, message_id AS "messageId"`;

const TAKE_LEASE = {
  name: "projection-take-lease",
  text: `UPDATE projections SET holder = $2, lease_until = now() + $3::float8 * interval '1 millisecond'
    WHERE name = $1 AND (holder = $2 OR lease_until < now()) RETURNING ${POSITION_COLUMNS}`,
};

const BEGIN_PROJECTION = {
  name: "projection-begin",
  text: `INSERT INTO projections (name, epoch, history, sequence, holder, lease_until, through_at)
    VALUES ($1, '', 0, 0, '', to_timestamp(0), to_timestamp(0)) ON CONFLICT DO NOTHING`,
};

const RELEASE_LEASE = {
  name: "projection-release-lease",
  text: `UPDATE projections SET lease_until = to_timestamp(0) WHERE name = $1 AND holder = $2`,
};

const RESTART = {
  name: "projection-restart",
  text: `UPDATE projections SET epoch = $3, history = history + 1, sequence = 0, message_id = NULL
    WHERE name = $1 AND holder = $2 RETURNING ${POSITION_COLUMNS}`,
};

// The fence: whoever was frozen and taken over finds another holder, or another position.
const MOVE = {
  name: "projection-move",
  text: `UPDATE projections SET sequence = $5, message_id = $6, through_at = coalesce($7, through_at),
      lease_until = now() + $8::float8 * interval '1 millisecond'
    WHERE name = $1 AND holder = $2 AND history = $3 AND sequence = $4`,
};

const LOCK_ORDERS = {
  name: "projection-lock-orders",
  text: `SELECT ${ORDER_COLUMNS} FROM unnest($1::text[], $2::text[]) AS told (vendor_id, order_id)
    JOIN orders o USING (vendor_id, order_id) ORDER BY o.vendor_id, o.order_id FOR UPDATE OF o`,
};

/** Columns that an order is born with, then those that its events change. */
const BORN_WITH = {
  vendor_id: "text",
  order_id: "text",
  body: "json",
  total: "bigint",
  currency: "text",
  placed_at: "timestamptz",
  stored_at: "timestamptz",
} as const;
const CHANGED = {
  sequence: "bigint",
  history: "int",
  applied_sequence: "bigint",
  status: "order_status",
  received_at: "timestamptz",
  seen_at: "timestamptz",
  answered_at: "timestamptz",
  answered_by: "text",
  escalated_at: "timestamptz",
  escalation_reason: "text",
  expired_at: "timestamptz",
  cancelled_at: "timestamptz",
  reminders: "int",
  attended: "boolean",
  ops_told: "boolean",
  due_at: "timestamptz",
} as const;
const COLUMNS = { ...BORN_WITH, ...CHANGED };

// A row that is there is locked, so its body, which is not read, is not written either.
const STORE_ORDERS = {
  name: "projection-store-orders",
  text: `INSERT INTO orders (${Object.keys(COLUMNS).join(", ")})
    SELECT * FROM unnest(${Object.values(COLUMNS)
      .map((type, index) => `$${index + 1}::${type}[]`)
      .join(", ")})
    ON CONFLICT (vendor_id, order_id) DO UPDATE SET ${Object.keys(CHANGED)
      .map((column) => `${column} = excluded.${column}`)
      .join(", ")}`,
};

/**
 * Takes or renews the lease of the projection, by the clock of Postgres. @returns `null` while another replica holds it.
 *
 * @throws {DatabaseUnavailableError}
 */
export async function leaseProjection(
  pool: Pool,
  { holder, leaseMs }: { holder: string; leaseMs: number },
): Promise<ProjectionPosition | null> {
  const values = [ORDERS_PROJECTION, holder, leaseMs];
  try {
    const taken = await pool.query<ProjectionPosition>({ ...TAKE_LEASE, values });
    if (taken.rows[0]) return taken.rows[0];
    const begun = await pool.query({ ...BEGIN_PROJECTION, values: [ORDERS_PROJECTION] });
    if (!begun.rowCount) return null;
    return (await pool.query<ProjectionPosition>({ ...TAKE_LEASE, values })).rows[0] ?? null;
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/** Lets another replica take over at once. @throws {DatabaseUnavailableError} */
export async function releaseProjection(pool: Pool, holder: string): Promise<void> {
  try {
    await pool.query({ ...RELEASE_LEASE, values: [ORDERS_PROJECTION, holder] });
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/**
 * Starts again at the beginning of a log that is another than before: deleted and made anew, or restored from a backup.
 * Orders that are there stay, and what the new log tells of them is applied to them.
 *
 * @returns `null` when the lease is lost.
 * @throws {DatabaseUnavailableError}
 */
export async function restartProjection(
  pool: Pool,
  { holder, epoch }: { holder: string; epoch: string },
): Promise<ProjectionPosition | null> {
  try {
    const values = [ORDERS_PROJECTION, holder, epoch];
    return (await pool.query<ProjectionPosition>({ ...RESTART, values })).rows[0] ?? null;
  } catch (error) {
    throw toDatabaseError(error);
  }
}

export interface EventBatch {
  readonly holder: string;
  readonly leaseMs: number;
  /** Where the projection stands, by what this replica knows. */
  readonly from: ProjectionPosition;
  /** Ascending by sequence, all above `from`. */
  readonly events: readonly LoggedEvent[];
  /** Where the projection stands afterwards: past the last event, or past foreign ones after it. */
  readonly to: { readonly sequence: number; readonly messageId: string | null };
  /** The time up to which the log is projected then; `null` while it lags. */
  readonly throughAt: Date | null;
  readonly deadlines: OrderDeadlines;
}

export type BatchOutcome =
  | {
      readonly status: "applied";
      readonly position: ProjectionPosition;
      /** Events that Postgres cannot hold; they are left out. */
      readonly refused: number;
    }
  /** Another replica has taken over, and nothing was stored. */
  | { readonly status: "fenced" };

/**
 * Applies the events in the order of the log and moves the projection, in one transaction, and renews the lease. When a
 * row is at fault the batch is halved until it stands alone: no event stops the projection.
 *
 * @throws {DatabaseUnavailableError} If it is not known to be applied, the position in Postgres tells.
 */
export async function applyEvents(pool: Pool, batch: EventBatch): Promise<BatchOutcome> {
  const { from, to, events } = batch;
  const position = { ...from, ...to };
  try {
    return await inTransaction(pool, async (client) => {
      const moved = await client.query({ ...MOVE, values: moveValues(batch) });
      if (!moved.rowCount) return { status: "fenced" } as const;
      if (events.length > 0) await storeEvents(client, batch);
      return { status: "applied", position, refused: 0 } as const;
    });
  } catch (error) {
    if (!isDataError(error) || events.length === 0) throw error;
  }
  if (events.length === 1) {
    const outcome = await applyEvents(pool, { ...batch, events: [] });
    return outcome.status === "fenced" ? outcome : { ...outcome, refused: 1 };
  }
  const middle = Math.ceil(events.length / 2);
  const { sequence, messageId } = events[middle - 1] as LoggedEvent;
  const first = await applyEvents(pool, {
    ...batch,
    events: events.slice(0, middle),
    to: { sequence, messageId },
    throughAt: null,
  });
  if (first.status === "fenced") return first;
  const second = await applyEvents(pool, {
    ...batch,
    from: first.position,
    events: events.slice(middle),
  });
  return second.status === "fenced"
    ? second
    : { ...second, refused: first.refused + second.refused };
}

function moveValues({ holder, from, to, throughAt, leaseMs }: EventBatch): unknown[] {
  return [
    ...[ORDERS_PROJECTION, holder, from.history, from.sequence],
    ...[to.sequence, to.messageId, throughAt, leaseMs],
  ];
}

async function storeEvents(client: pg.PoolClient, batch: EventBatch): Promise<void> {
  const { events, from, deadlines } = batch;
  const keys = new Map(
    events.map(({ vendorId, data }) => [keyOf(vendorId, data.orderId), { vendorId, data }]),
  );
  const found = await client.query<OrderRow>({
    ...LOCK_ORDERS,
    values: [
      [...keys.values()].map(({ vendorId }) => vendorId),
      [...keys.values()].map(({ data }) => data.orderId),
    ],
  });
  const rows = new Map(found.rows.map((row) => [keyOf(row.vendorId, row.orderId), row]));
  const changed = new Map<string, OrderRow>();
  for (const event of events) {
    const key = keyOf(event.vendorId, event.data.orderId);
    const before = rows.get(key) ?? null;
    const after = tellOrder(before, event, { history: from.history, deadlines });
    if (!after || after === before) continue;
    rows.set(key, after);
    changed.set(key, after);
  }
  if (changed.size === 0) return;
  await client.query({ ...STORE_ORDERS, values: columnsOf([...changed.values()]) });
}

function keyOf(vendorId: VendorId, orderId: string): string {
  return `${vendorId} ${orderId}`;
}

/** One array for each of `COLUMNS`, in their order. */
function columnsOf(rows: readonly (OrderRow | OrderRowWithBody)[]): unknown[][] {
  return Object.keys(COLUMNS).map((column) => {
    if (column === "body")
      return rows.map((row) => JSON.stringify("body" in row ? row.body : null));
    const field = column.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
    return rows.map((row) => row[field as keyof OrderRow]);
  });
}

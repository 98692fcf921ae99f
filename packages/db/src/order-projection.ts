import type pg from "pg";
import { isDataError, toDatabaseError } from "./database-error.ts";
import {
  type EventToKeep,
  isBetterUnderstood,
  keptAfter,
  ordersOf,
  pageOfSetAside,
  projectBatch,
  refusedEvent,
  retellOrder,
} from "./order-batch.ts";
import { ORDER_COLUMNS, type OrderRow, type OrderRowWithBody } from "./order-row.ts";
import type { Pool } from "./pool.ts";
import {
  type BatchOutcome,
  type Checkpoint,
  type EventBatch,
  type Lease,
  type LogEntry,
  orderKey,
  type ProjectionPosition,
  type ProjectionStore,
  type RetoldOrder,
  type SetAsideCursor,
} from "./projection-store.ts";
import { SET_ASIDE_COLUMNS, type SetAsideRow, setAsideOrders } from "./set-aside-row.ts";
import { inTransaction } from "./transaction.ts";

/** The row of `projections` that the table `orders` is projected under. */
export const ORDERS_PROJECTION = "orders";

const POSITION_COLUMNS = `epoch, history, sequence::float8 AS sequence, message_id AS "messageId"`;

const TAKE_LEASE = {
  name: "projection-take-lease",
  text: `UPDATE projections SET holder = $2, lease_until = now() + $3::float8 * interval '1 millisecond'
    WHERE name = $1 AND (holder = $2 OR lease_until < now()) RETURNING ${POSITION_COLUMNS}, now() AS at`,
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

const REWIND = {
  name: "projection-rewind",
  text: `UPDATE projections SET epoch = $3, history = history + 1, sequence = $4, message_id = $5
    WHERE name = $1 AND holder = $2 RETURNING ${POSITION_COLUMNS}`,
};

// The fence: whoever was frozen and taken over finds another holder, or another position.
const MOVE = {
  name: "projection-move",
  text: `UPDATE projections SET sequence = $5, message_id = $6, through_at = coalesce($7, through_at),
      lease_until = now() + $8::float8 * interval '1 millisecond'
    WHERE name = $1 AND holder = $2 AND history = $3 AND sequence = $4 RETURNING now() AS at`,
};

const CHECKPOINTS = {
  name: "projection-checkpoints",
  text: `SELECT sequence::float8 AS sequence, message_id AS "messageId" FROM projection_checkpoints
    WHERE name = $1 ORDER BY sequence DESC`,
};

const DROP_CHECKPOINTS = {
  name: "projection-drop-checkpoints",
  text: "DELETE FROM projection_checkpoints WHERE name = $1 AND sequence > $2",
};

const STORE_CHECKPOINTS = {
  name: "projection-store-checkpoints",
  text: `INSERT INTO projection_checkpoints (name, sequence, message_id)
    SELECT $1, * FROM unnest($2::bigint[], $3::text[])`,
};

const LOCK_ORDERS = {
  name: "projection-lock-orders",
  text: `SELECT ${ORDER_COLUMNS} FROM unnest($1::text[], $2::text[]) AS told (vendor_id, order_id)
    JOIN orders o USING (vendor_id, order_id) ORDER BY o.vendor_id, o.order_id FOR UPDATE OF o`,
};

const FIND_SET_ASIDE = {
  name: "projection-find-set-aside",
  text: `SELECT told.vendor_id AS "vendorId", told.order_id AS "orderId"
    FROM unnest($1::text[], $2::text[]) AS told (vendor_id, order_id)
    WHERE EXISTS (SELECT 1 FROM set_aside_events e
      WHERE e.vendor_id = told.vendor_id AND e.order_id = told.order_id)`,
};

// What a holder before had kept of the same event stays.
const KEEP_EVENTS = {
  name: "projection-keep-events",
  text: `INSERT INTO set_aside_events
      (history, sequence, vendor_id, order_id, kind, message_id, stored_at, data, reason, base)
    SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
      $8::bytea[], $9::text[], $10::json[])
    ON CONFLICT DO NOTHING`,
};

const COUNT_SET_ASIDE = {
  name: "projection-count-set-aside",
  text: "SELECT count(*)::int AS count FROM set_aside_events WHERE reason IS NOT NULL",
};

const READ_SET_ASIDE = {
  name: "projection-read-set-aside",
  text: `WITH unread AS (
      SELECT DISTINCT vendor_id, order_id FROM (
        SELECT vendor_id, order_id FROM set_aside_events
        WHERE reason IS NOT NULL AND (history, sequence) > ($1, $2) ORDER BY history, sequence LIMIT $3
      ) page
    )
    SELECT ${SET_ASIDE_COLUMNS} FROM set_aside_events e JOIN unread USING (vendor_id, order_id)
    ORDER BY e.history, e.sequence`,
};

const DROP_SET_ASIDE = {
  name: "projection-drop-set-aside",
  text: "DELETE FROM set_aside_events WHERE vendor_id = $1 AND order_id = $2",
};

const MARK_UNDERSTOOD = {
  name: "projection-mark-understood",
  text: `UPDATE set_aside_events e SET reason = NULL
    FROM unnest($1::int[], $2::bigint[]) AS told (history, sequence)
    WHERE e.history = told.history AND e.sequence = told.sequence`,
};

const DROP_ORDER = {
  name: "projection-drop-order",
  text: "DELETE FROM orders WHERE vendor_id = $1 AND order_id = $2",
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

/** The projection of the orders in Postgres. */
export function openOrderProjection(pool: Pool): ProjectionStore {
  async function query<Row extends pg.QueryResultRow>(
    statement: { name: string; text: string },
    values: unknown[],
  ): Promise<pg.QueryResult<Row>> {
    try {
      return await pool.query<Row>({ ...statement, values });
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  async function takeLease({ holder, leaseMs }: Lease) {
    const { rows } = await query<ProjectionPosition & { at: Date }>(TAKE_LEASE, [
      ...[ORDERS_PROJECTION, holder, leaseMs],
    ]);
    if (!rows[0]) return null;
    const { at, ...position } = rows[0];
    return { position, at };
  }

  return {
    async lease(lease) {
      const taken = await takeLease(lease);
      if (taken) return taken;
      const begun = await query(BEGIN_PROJECTION, [ORDERS_PROJECTION]);
      return begun.rowCount ? await takeLease(lease) : null;
    },
    async release(holder) {
      await query(RELEASE_LEASE, [ORDERS_PROJECTION, holder]);
    },
    apply: (batch) => applyEvents(pool, batch),
    async checkpoints() {
      return (await query<Checkpoint>(CHECKPOINTS, [ORDERS_PROJECTION])).rows;
    },
    async rewind({ holder, epoch, checkpoint }) {
      const sequence = checkpoint?.sequence ?? 0;
      const values = [ORDERS_PROJECTION, holder, epoch, sequence, checkpoint?.messageId ?? null];
      return await inTransaction(pool, async (client) => {
        const { rows } = await client.query<ProjectionPosition>({ ...REWIND, values });
        if (!rows[0]) return null;
        await client.query({ ...DROP_CHECKPOINTS, values: [ORDERS_PROJECTION, sequence] });
        return rows[0];
      });
    },
    async countSetAside() {
      const { rows } = await query<{ count: number }>(COUNT_SET_ASIDE, []);
      return rows[0]?.count ?? 0;
    },
    async setAside(after, limit) {
      return await readSetAside(query, after, limit);
    },
    retell: (change) => retellOrders(pool, change),
  };
}

async function readSetAside(
  query: (
    statement: { name: string; text: string },
    values: unknown[],
  ) => Promise<{ rows: SetAsideRow[] }>,
  after: SetAsideCursor,
  limit: number,
) {
  const { rows } = await query(READ_SET_ASIDE, [after.history, after.sequence, limit]);
  return pageOfSetAside(setAsideOrders(rows), after, limit);
}

/** When a row is at fault the batch is halved until it stands alone, and is set aside. */
async function applyEvents(pool: Pool, batch: EventBatch): Promise<BatchOutcome> {
  const { from, to, events } = batch;
  try {
    return await inTransaction(pool, async (client) => {
      const moved = await client.query<{ at: Date }>({ ...MOVE, values: moveValues(batch) });
      const at = moved.rows[0]?.at;
      if (!at) return { status: "fenced" } as const;
      if (events.length > 0) await storeEvents(client, batch);
      if (batch.checkpoints) await storeCheckpoints(client, batch.checkpoints);
      return { status: "applied", position: { ...from, ...to }, at, refused: [] } as const;
    });
  } catch (error) {
    if (!isDataError(error) || events.length === 0) throw error;
  }
  const [only] = events;
  if (only && events.length === 1) {
    const refused = refusedEvent(only);
    const outcome = await applyEvents(pool, { ...batch, events: [refused] });
    return outcome.status === "fenced" ? outcome : { ...outcome, refused: [refused] };
  }
  const middle = Math.ceil(events.length / 2);
  const { sequence, messageId } = events[middle - 1] as LogEntry;
  const first = await applyEvents(pool, {
    ...batch,
    events: events.slice(0, middle),
    to: { sequence, messageId },
    throughAt: null,
    checkpoints: undefined,
  });
  if (first.status === "fenced") return first;
  const second = await applyEvents(pool, {
    ...batch,
    from: first.position,
    events: events.slice(middle),
  });
  return second.status === "fenced"
    ? second
    : { ...second, refused: [...first.refused, ...second.refused] };
}

function moveValues({
  holder,
  leaseMs,
  from,
  to,
  throughAt,
}: Pick<EventBatch, "holder" | "leaseMs" | "from" | "to" | "throughAt">): unknown[] {
  return [
    ...[ORDERS_PROJECTION, holder, from.history, from.sequence],
    ...[to.sequence, to.messageId, throughAt, leaseMs],
  ];
}

async function storeEvents(client: pg.PoolClient, batch: EventBatch): Promise<void> {
  const { events, from, deadlines } = batch;
  const told = [...ordersOf(events).values()];
  const keys = [told.map(({ vendorId }) => vendorId), told.map(({ orderId }) => orderId)];
  const found = await client.query<OrderRow>({ ...LOCK_ORDERS, values: keys });
  const aside = await client.query<{ vendorId: string; orderId: string }>({
    ...FIND_SET_ASIDE,
    values: keys,
  });
  const rows = new Map(found.rows.map((row) => [orderKey(row), row]));
  const setAside = new Set(aside.rows.map(({ vendorId, orderId }) => `${vendorId} ${orderId}`));
  const before = new Map(
    told.map((order) => {
      const key = orderKey(order);
      return [key, { row: rows.get(key) ?? null, isSetAside: setAside.has(key) }];
    }),
  );
  const { history } = from;
  const after = projectBatch(before, events, { history, deadlines });
  await storeRows(client, after.rows);
  if (after.toKeep.length > 0) await keepEvents(client, after.toKeep);
}

async function storeRows(
  client: pg.PoolClient,
  rows: readonly (OrderRow | OrderRowWithBody)[],
): Promise<void> {
  if (rows.length > 0) await client.query({ ...STORE_ORDERS, values: columnsOf(rows) });
}

async function keepEvents(client: pg.PoolClient, events: readonly EventToKeep[]): Promise<void> {
  const fields = [
    ...["history", "sequence", "vendorId", "orderId", "kind", "messageId"],
    ...["storedAt", "data", "reason"],
  ] as (keyof EventToKeep)[];
  const values = fields.map((field) => events.map((event) => event[field]));
  const bases = events.map(({ base }) => base && JSON.stringify(base));
  await client.query({ ...KEEP_EVENTS, values: [...values, bases] });
}

async function storeCheckpoints(
  client: pg.PoolClient,
  checkpoints: readonly Checkpoint[],
): Promise<void> {
  await client.query({ ...DROP_CHECKPOINTS, values: [ORDERS_PROJECTION, -1] });
  const columns = [
    checkpoints.map(({ sequence }) => sequence),
    checkpoints.map(({ messageId }) => messageId),
  ];
  await client.query({ ...STORE_CHECKPOINTS, values: [ORDERS_PROJECTION, ...columns] });
}

/** An order that Postgres cannot hold as it is understood now stays as it is, and does not keep others back. */
async function retellOrders(
  pool: Pool,
  change: Parameters<ProjectionStore["retell"]>[0],
): Promise<"retold" | "fenced"> {
  const { from, deadlines } = change;
  const orders = change.orders.filter(isBetterUnderstood);
  if (orders.length === 0) return "retold";
  try {
    return await inTransaction(pool, async (client) => {
      const values = moveValues({ ...change, to: from, throughAt: null });
      if (!(await client.query({ ...MOVE, values })).rowCount) return "fenced";
      for (const order of orders) await retellOne(client, order, deadlines);
      return "retold";
    });
  } catch (error) {
    if (!isDataError(error)) throw error;
  }
  if (orders.length === 1) return "retold";
  for (const order of orders) {
    const outcome = await retellOrders(pool, { ...change, orders: [order] });
    if (outcome === "fenced") return outcome;
  }
  return "retold";
}

async function retellOne(
  client: pg.PoolClient,
  order: RetoldOrder,
  deadlines: EventBatch["deadlines"],
): Promise<void> {
  const key = [order.vendorId, order.orderId];
  const { rows } = await client.query<OrderRow>({
    ...LOCK_ORDERS,
    values: [[order.vendorId], [order.orderId]],
  });
  const live = rows[0] ?? null;
  const row = retellOrder(order, live, deadlines);
  // Its first `new-order` may be another than the one that was understood: then its body is another as well.
  if (row && "body" in row) await client.query({ ...DROP_ORDER, values: key });
  // One that was removed for its age is not made again.
  if (row && ("body" in row || live)) await storeRows(client, [row]);
  const kept = keptAfter(order);
  if (kept.length === 0) {
    await client.query({ ...DROP_SET_ASIDE, values: key });
    return;
  }
  const read = kept.filter(({ reason }) => reason === null);
  const columns = [read.map(({ history }) => history), read.map(({ sequence }) => sequence)];
  await client.query({ ...MARK_UNDERSTOOD, values: columns });
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

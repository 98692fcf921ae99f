import { toDatabaseError } from "./database-error.ts";
import type { Pool } from "./pool.ts";

const PRUNE = {
  name: "orders-prune",
  text: `DELETE FROM orders WHERE (vendor_id, order_id) IN (
      SELECT vendor_id, order_id FROM orders
      WHERE stored_at < now() - $1::float8 * interval '1 day' AND due_at IS NULL
      LIMIT $2 FOR UPDATE SKIP LOCKED
    )`,
};

// Whole orders: what is left of one would be told from the wrong beginning.
const PRUNE_SET_ASIDE = {
  name: "orders-prune-set-aside",
  text: `DELETE FROM set_aside_events WHERE (vendor_id, order_id) IN (
      SELECT vendor_id, order_id FROM set_aside_events
      WHERE stored_at < now() - $1::float8 * interval '1 day' LIMIT $2
    )`,
};

/**
 * Deletes up to `limit` decided orders that were stored more than `keepDays` days ago, and what of that age no version has
 * understood. @returns how many orders it deleted.
 *
 * @throws {DatabaseUnavailableError}
 */
export async function pruneOrders(
  pool: Pool,
  { keepDays, limit }: { keepDays: number; limit: number },
): Promise<number> {
  try {
    await pool.query({ ...PRUNE_SET_ASIDE, values: [keepDays, limit] });
    return (await pool.query({ ...PRUNE, values: [keepDays, limit] })).rowCount ?? 0;
  } catch (error) {
    throw toDatabaseError(error);
  }
}

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

/**
 * Deletes up to `limit` decided orders that were stored more than `keepDays` days ago. @returns how many it deleted.
 *
 * @throws {DatabaseUnavailableError}
 */
export async function pruneOrders(
  pool: Pool,
  { keepDays, limit }: { keepDays: number; limit: number },
): Promise<number> {
  try {
    return (await pool.query({ ...PRUNE, values: [keepDays, limit] })).rowCount ?? 0;
  } catch (error) {
    throw toDatabaseError(error);
  }
}

import type pg from "pg";
import { toDatabaseError } from "./database-error.ts";
import type { Pool } from "./pool.ts";

/**
 * Runs `work` in a transaction and commits it. A connection whose state is not known afterwards is closed.
 *
 * @throws {DatabaseUnavailableError} when Postgres cannot answer. If that was the COMMIT, it may have happened.
 */
export async function inTransaction<T>(
  pool: Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw toDatabaseError(error);
  }
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    client.release();
    return result;
  } catch (error) {
    const fault = toDatabaseError(error);
    // Waiting for a ROLLBACK on a connection that hangs would cost the next caller as well.
    const rolledBack = fault === error && (await client.query("ROLLBACK").catch(() => null));
    client.release(!rolledBack);
    throw fault;
  }
}

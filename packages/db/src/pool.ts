import pg from "pg";

export type Pool = pg.Pool;

/**
 * Connections to one database. None is opened before it is needed, so a service starts without Postgres.
 *
 * @param options.max connections at most; who needs one more waits `connectTimeoutMs` for it.
 * @param options.statementTimeoutMs after which the server gives a statement up. The client gives it up a little later:
 *   a server that hangs does not keep its promise.
 */
export function openPool(options: {
  url: string;
  name?: string;
  max?: number;
  connectTimeoutMs?: number;
  statementTimeoutMs?: number;
  onIdleError?: (error: Error) => void;
}): Pool {
  const { max = 8, connectTimeoutMs = 2_000, statementTimeoutMs = 3_000 } = options;
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    lock_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs * 2,
    query_timeout: statementTimeoutMs + 500,
    keepAlive: true,
  });
  // Without listeners the death of a connection would end the process, whether it is idle or lent to somebody, who
  // learns of it from the statement under way.
  pool.on("error", (error) => options.onIdleError?.(error));
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** Creates the database as UTF-8 when it is missing. `adminUrl` names any other database of the server. */
export async function createDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const found = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
    if (found.rowCount) return;
    const quoted = client.escapeIdentifier(name);
    await client
      .query(`CREATE DATABASE ${quoted} ENCODING 'UTF8' TEMPLATE template0`)
      .catch((error) => {
        // Another process was faster: duplicate_database, or unique_violation while the two raced.
        if (error.code !== "42P04" && error.code !== "23505") throw error;
      });
  } finally {
    await client.end();
  }
}

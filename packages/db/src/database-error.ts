/** Postgres cannot answer now; the same call may succeed later. */
export class DatabaseUnavailableError extends Error {
  override readonly name = "DatabaseUnavailableError";
  readonly retryable = true;
}

/**
 * SQLSTATE classes (PostgreSQL manual, appendix A) of a fault that goes by itself: connection, transaction rollback,
 * resources, operator intervention (shutdown, statement timeout), system. And lock_not_available, and what a standby
 * answers to a write during a failover.
 */
const TEMPORARY = /^(08|40|53|57|58)|^55P03$|^25006$/;
/** Data exceptions and violated constraints: one row is at fault. */
const DATA = /^(22|23)/;
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** An error of `pg` as one that says whether to retry. What Postgres refused as wrong stays what it was. */
export function toDatabaseError(error: unknown): unknown {
  const sqlState = sqlStateOf(error);
  if (sqlState !== null && !TEMPORARY.test(sqlState)) return error;
  if (error instanceof DatabaseUnavailableError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DatabaseUnavailableError(`Postgres: ${reason}`, { cause: error });
}

/** Whether one of the rows is at fault, and not the database. */
export function isDataError(error: unknown): boolean {
  const sqlState = sqlStateOf(error);
  return sqlState !== null && DATA.test(sqlState);
}

/** `null` for errors that did not come from the server: refused connections, broken sockets, timeouts of `pg`. */
function sqlStateOf(error: unknown): string | null {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" && SQLSTATE.test(code) ? code : null;
}

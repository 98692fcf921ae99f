import pg from "pg";

/** Services that have a role in Postgres. All others have none and are refused. */
const DATABASE_ROLES = ["notification-sse", "chat-ws"] as const;
export type DatabaseRole = (typeof DATABASE_ROLES)[number];

/** Columns are named where a service changes only some of them. */
const GRANTS: Record<DatabaseRole, readonly string[]> = {
  "notification-sse": [
    "SELECT, INSERT, UPDATE, DELETE ON orders",
    "SELECT, INSERT, UPDATE ON projections",
    "SELECT, INSERT, DELETE ON projection_checkpoints",
    "SELECT, INSERT, UPDATE (reason), DELETE ON set_aside_events",
    "SELECT, INSERT, UPDATE ON vendor_settings",
    "SELECT ON conversations",
    "SELECT ON messages",
  ],
  "chat-ws": [
    "SELECT, INSERT, UPDATE (last_seq, last_at) ON conversations",
    "SELECT, INSERT ON messages",
  ],
};

/** What no statement of a service may exceed, whatever the service asks for. */
const ROLE_STATEMENT_TIMEOUT = "10s";

/**
 * Creates or updates the roles of the services with exactly the rights that they use (PROTOCOL.md O4), after
 * `migrateDatabase`. Nobody else may connect to the database but its owner.
 *
 * @param options.url of the database, as a superuser.
 */
export async function grantRoles(options: {
  url: string;
  passwords: Readonly<Record<DatabaseRole, string>>;
}): Promise<void> {
  const client = new pg.Client({ connectionString: options.url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query("BEGIN");
    // Roles belong to the whole server: two that create one at once would fail.
    await client.query("SELECT pg_advisory_xact_lock(hashtext('localstreet roles'))");
    const database = client.escapeIdentifier(client.database ?? "");
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    await client.query("REVOKE ALL ON SCHEMA public FROM PUBLIC");
    for (const name of DATABASE_ROLES) {
      const role = client.escapeIdentifier(name);
      const found = await client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [name]);
      const password = client.escapeLiteral(options.passwords[name]);
      await client.query(
        `${found.rowCount ? "ALTER" : "CREATE"} ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT
         PASSWORD ${password}`,
      );
      await client.query(`ALTER ROLE ${role} SET statement_timeout = '${ROLE_STATEMENT_TIMEOUT}'`);
      await client.query(`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${role}`);
      await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${role}`);
      await client.query(`GRANT USAGE ON SCHEMA public TO ${role}`);
      for (const grant of GRANTS[name]) await client.query(`GRANT ${grant} TO ${role}`);
    }
    await client.query("COMMIT");
  } finally {
    await client.end();
  }
}

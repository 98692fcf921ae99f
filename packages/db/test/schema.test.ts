import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrateDatabase } from "../src/migrate.ts";
import { createDatabase } from "../src/pool.ts";
import { grantRoles } from "../src/roles.ts";
import { startDatabase, type TestDatabase } from "./start-database.ts";

const prismaFolder = fileURLToPath(new URL("../prisma", import.meta.url));
let database: TestDatabase;

beforeAll(async () => {
  database = await startDatabase();
});

afterAll(async () => {
  await database?.stop();
});

/** Connects as that account for one piece of work. */
async function as<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Exit code of `prisma migrate diff`: 0 when the migrations give the schema, 2 when they differ. */
async function drift(migrations: string): Promise<number> {
  const args = ["migrate", "diff", "--from-migrations", migrations];
  const to = ["--to-schema", join(prismaFolder, "schema.prisma"), "--exit-code"];
  try {
    await promisify(execFile)(
      process.execPath,
      [join(prismaFolder, "prisma.mjs"), ...args, ...to],
      // biome-ignore lint/style/noProcessEnv: passed on to a program.
      { env: { ...process.env, DATABASE_URL: database.url("admin") } },
    );
    return 0;
  } catch (error) {
    return (error as { code: number }).code;
  }
}

test("the migrations give the schema, and the check leaves nothing behind", async () => {
  expect(await drift(join(prismaFolder, "migrations"))).toBe(0);
  const names = await as(database.url("admin"), (client) =>
    client.query("SELECT datname FROM pg_database ORDER BY datname"),
  );
  expect(names.rows.map((row) => row.datname)).toEqual([
    "localstreet",
    "postgres",
    "template0",
    "template1",
  ]);
});

test("a migration that adds what the schema has not is found, and does not reach the real database", async () => {
  const folder = await mkdtemp(join(tmpdir(), "localstreet-drift-"));
  try {
    await cp(join(prismaFolder, "migrations"), folder, { recursive: true });
    const file = join(folder, "20261124000000_chat", "migration.sql");
    await writeFile(file, "CREATE TABLE drifted (id int PRIMARY KEY);\n", { flag: "a" });
    expect(await drift(folder)).toBe(2);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const found = await as(database.url("admin"), (client) =>
    client.query("SELECT to_regclass('drifted') AS table"),
  );
  expect(found.rows).toEqual([{ table: null }]);
});

test("creating, migrating and granting again changes nothing", async () => {
  const admin = database.postgres.url("admin");
  await Promise.all([createDatabase(admin, "twice"), createDatabase(admin, "twice")]);
  await createDatabase(admin, "localstreet");
  await migrateDatabase({ url: database.url("admin") });
  const { passwords } = database.postgres;
  await Promise.all([
    grantRoles({ url: database.url("admin"), passwords }),
    grantRoles({ url: database.url("admin"), passwords }),
  ]);
  await as(database.url("chat-ws"), (client) => client.query("SELECT 1 FROM messages"));
});

test("a database that is not there is an error that says so", async () => {
  await expect(migrateDatabase({ url: database.postgres.url("admin", "absent") })).rejects.toThrow(
    "the migration failed",
  );
});

test("O4: services that keep nothing in Postgres are refused", async () => {
  for (const user of ["tracking-ingest", "tracking-fanout", "publisher"] as const) {
    const refused = as(database.url(user), (client) => client.query("SELECT 1"));
    await expect(refused).rejects.toMatchObject({ code: "28P01" });
  }
});

test("O4: the wrong password and other databases are refused", async () => {
  const wrong = new URL(database.url("chat-ws"));
  wrong.password = "guess";
  await expect(as(String(wrong), async () => {})).rejects.toMatchObject({ code: "28P01" });
});

test("O4: chat may not delete, change, drop or create", async () => {
  await as(database.url("chat-ws"), async (client) => {
    for (const sql of [
      "DELETE FROM messages",
      "DELETE FROM conversations",
      "TRUNCATE messages",
      "UPDATE messages SET content = ''",
      "UPDATE conversations SET buyer_id = 'somebody'",
      "DROP TABLE messages",
      "ALTER TABLE messages ADD COLUMN more text",
      "CREATE TABLE own (id int)",
      "CREATE TEMPORARY TABLE own (id int)",
      "CREATE SCHEMA own",
      "CREATE DATABASE own",
      "CREATE ROLE own",
      "SELECT * FROM _prisma_migrations",
      "SELECT * FROM pg_authid",
      "COPY messages TO PROGRAM 'cat'",
    ]) {
      await expect(client.query(sql), sql).rejects.toMatchObject({ code: "42501" });
    }
  });
});

test("O4: chat's statements end by themselves", async () => {
  const setting = await as(database.url("chat-ws"), (client) =>
    client.query("SHOW statement_timeout"),
  );
  expect(setting.rows).toEqual([{ statement_timeout: "10s" }]);
});

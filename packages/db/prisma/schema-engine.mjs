#!/usr/bin/env node
// Prisma's schema engine, as the CLI starts it when PRISMA_SCHEMA_ENGINE_BINARY names this file: JSON-RPC on stdin and
// stdout. The answers come from Prisma's own engine as WebAssembly, over `pg`, so that nothing is downloaded.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";

const PG_CHAR = 18;
const PG_TEXT = 25;

const datasource = JSON.parse(argumentsAfter("--datasource")[0] ?? "{}");
// biome-ignore lint/style/noProcessEnv: this is a program of its own.
const url = new URL(datasource.url ?? process.env.DATABASE_URL);
const databaseName = decodeURIComponent(url.pathname.slice(1));

if (argumentsAfter("cli").length > 0) {
  // `cli can-connect-to-database` and its like: the exit code is the answer.
  try {
    await execute(databaseName, "SELECT 1");
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error}\n`);
    process.exit(1);
  }
}
await serve(await openEngine());

/** The values that follow `name` on the command line, up to the next option. */
function argumentsAfter(name) {
  const position = process.argv.indexOf(name);
  if (position === -1) return [];
  const rest = process.argv.slice(position + 1);
  const end = rest.findIndex((value) => value.startsWith("--"));
  return end === -1 ? rest : rest.slice(0, end);
}

async function openDatabase(database) {
  // Fields and not `connectionString`: the adapter would let the string's database win, and the shadow database's
  // migrations would run in the real one.
  const adapter = await new PrismaPg({
    host: url.hostname,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password) || undefined,
    connectionTimeoutMillis: 10_000,
    max: 2,
    database,
  }).connect();
  const performIO = adapter.performIO.bind(adapter);
  adapter.performIO = async (query) => {
    const result = await performIO(query);
    // The engine asks the catalogue for columns of type "char", which the adapter does not know.
    for (const field of result.fields ?? []) {
      if (field.dataTypeID === PG_CHAR) field.dataTypeID = PG_TEXT;
    }
    return result;
  };
  return adapter;
}

async function execute(database, sql) {
  const adapter = await openDatabase(database);
  try {
    await adapter.executeScript(sql);
  } finally {
    await adapter.dispose();
  }
}

/** An empty database beside the real one, which exists until it is disposed of. */
async function openShadowDatabase() {
  const name = `prisma_migrate_shadow_db_${crypto.randomUUID()}`;
  await execute("postgres", `CREATE DATABASE "${name}"`);
  const adapter = await openDatabase(name);
  const dispose = adapter.dispose.bind(adapter);
  adapter.dispose = async () => {
    await dispose();
    await execute("postgres", `DROP DATABASE "${name}" WITH (FORCE)`);
  };
  return adapter;
}

async function openEngine() {
  const main = import.meta.resolve("@prisma/schema-engine-wasm");
  const bindings = await import(new URL("schema_engine_bg.js", main).href);
  const { instance } = await WebAssembly.instantiate(
    readFileSync(new URL("schema_engine_bg.wasm", main)),
    { "./schema_engine_bg.js": bindings },
  );
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  const datamodels = argumentsAfter("--datamodels").map((file) => [
    file,
    readFileSync(file, "utf8"),
  ]);
  return await bindings.SchemaEngine.new(
    { datamodels: datamodels.length > 0 ? datamodels : undefined },
    () => {},
    bindMigrationAwareSqlAdapterFactory({
      provider: "postgres",
      adapterName: "pg",
      connect: () => openDatabase(databaseName),
      connectToShadowDb: openShadowDatabase,
    }),
  );
}

/** Answers one request after the other until stdin ends. */
async function serve(engine) {
  const send = (message) =>
    process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method, params } = JSON.parse(line);
    if (!method) continue;
    try {
      const call = method === "getDatabaseVersion" ? "version" : method;
      const result = (await engine[call](params)) ?? null;
      if (method === "diff" && result?.stdout) {
        send({ id: 0, method: "print", params: { content: result.stdout } });
      }
      send({ id, result });
    } catch (error) {
      const data = {
        is_panic: false,
        message: String(error?.message ?? error),
        meta: error?.meta ?? null,
        error_code: error?.code ?? null,
      };
      send({ id, error: { code: 4466, message: "engine", data } });
    }
  }
  process.exit();
}
